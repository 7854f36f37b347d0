"""The query parameters that lists share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from litestar.params import QueryParameter
from msgspec import Struct, to_builtins

LIMIT: Final = 20
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many items a page has at most.")]
Cursor = Annotated[
    str | None, QueryParameter(name="cursor", max_length=2000, description="`next_cursor` of the page before.")
]
UpdatedAfter = Annotated[
    datetime | None,
    QueryParameter(
        description="What was changed later than this. Ask from a little before the latest `updated_at` that you know: "
        "a change is seen a moment after it was made."
    ),
]


def as_parameters(wanted: Struct | None, cursor: str | None = None, limit: int | None = None) -> dict[str, Any]:
    """How a list is asked for: the fields of its filter that were given, under their names."""
    asked = {**(to_builtins(wanted) if wanted is not None else {}), "cursor": cursor, "limit": limit}
    return {name: value for name, value in asked.items() if value not in (None, [], ())}

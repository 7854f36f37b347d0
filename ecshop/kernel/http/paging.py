"""The query parameters that lists share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from litestar.params import QueryParameter

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

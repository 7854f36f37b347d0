"""The query parameters of every list."""

from __future__ import annotations

from typing import Annotated, Final

from litestar.params import QueryParameter

LIMIT: Final = 20
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many items a page has at most.")]
Cursor = Annotated[
    str | None, QueryParameter(name="cursor", max_length=2000, description="`next_cursor` of the page before.")
]

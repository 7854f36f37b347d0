"""Lists, page by page: a cursor names the last row seen, so that rows may come and go between two pages."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta
from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from ecshop.kernel.errors import EcshopError

Row = TypeVar("Row")

LIMIT: Final = 20
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="How many items a page has at most.")]
Cursor = Annotated[
    str | None, QueryParameter(name="cursor", max_length=2000, description="`next_cursor` of the page before.")
]
MAX_ID: Final = 2**63 - 1
_BINDABLE: Final[dict[type, Any]] = {
    int: Annotated[int, Meta(ge=-MAX_ID - 1, le=MAX_ID)],
    str: Annotated[str, Meta(pattern=r"^[^\x00]*(?![\s\S])")],
    datetime: Annotated[datetime, Meta(tz=True)],
}
"""What the database takes of a type: a cursor may have been made up by anybody."""


class InvalidCursor(EcshopError, code="request.invalid_cursor", status=400):
    """The cursor was not made by this list with this order."""


class Order:
    """A total order of a list: by one column, then by the key."""

    def __init__(self, name: str, column: InstrumentedAttribute[Any], key: InstrumentedAttribute[Any]) -> None:
        self._name = name
        self._columns = [column] if column is key else [column, key]
        self._descending = name.startswith("-")

    def page(self, query: Select[Any], cursor: str | None, limit: int) -> Select[Any]:
        """One row more than `limit`, so that `cut` can tell whether a next page exists."""
        if cursor is not None:
            query = query.where(self._after(self._read(cursor)))
        directed = [column.desc() if self._descending else column.asc() for column in self._columns]
        return query.order_by(*directed).limit(limit + 1)

    def cut(self, rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], str | None]:
        """The page's rows, and the cursor of the next page if there is one."""
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        values = [getattr(last, column.key) for column in self._columns]
        written = msgspec.json.encode([self._name, *values])
        return rows[:limit], base64.urlsafe_b64encode(written).decode().rstrip("=")

    def _after(self, values: Sequence[Any]) -> ColumnElement[bool]:
        here = tuple_(*self._columns)
        there = tuple_(*(literal(value, column.type) for column, value in zip(self._columns, values, strict=True)))
        return here < there if self._descending else here > there

    def _read(self, cursor: str) -> list[Any]:
        types = [column.type.python_type for column in self._columns]
        try:
            name, *values = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if name != self._name or len(values) != len(types):
                raise ValueError("made by another list")
            return [
                msgspec.convert(value, _BINDABLE.get(type_, type_)) for value, type_ in zip(values, types, strict=True)
            ]
        except (ValueError, TypeError, msgspec.MsgspecError) as cause:
            raise InvalidCursor("take `next_cursor` of the page before, with the same `sort`") from cause

"""Lists, page by page: a cursor names the last row seen, so that rows may come and go between two pages."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, CompoundSelect, Select, func, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from ecshop.kernel.errors import InvalidCursor
from ecshop.kernel.values import MAX_INT64, Page

T = TypeVar("T")

_BINDABLE: Final[dict[type, Any]] = {
    int: Annotated[int, Meta(ge=-MAX_INT64 - 1, le=MAX_INT64)],
    str: Annotated[str, Meta(pattern=r"^[^\x00]*(?![\s\S])")],
    datetime: Annotated[datetime, Meta(tz=True)],
}
"""What the database takes of a type: a cursor may have been made up by anybody."""
_FEW: Final = 10_000


class Keyset:
    """A total order of a list: by one column, then by the key; a name that begins with `-` sorts downwards."""

    def __init__(self, name: str, column: InstrumentedAttribute[Any], key: InstrumentedAttribute[Any]) -> None:
        self._name = name
        self._columns = [column] if column is key else [column, key]
        self._descending = name.startswith("-")

    def fetch(
        self,
        session: Session,
        query: Select[Any] | Sequence[Select[Any]],
        cursor: str | None,
        limit: int,
        read: Callable[[Any], T],
    ) -> Page[T]:
        """The page after `cursor`, each row `read`, of one list or of several that are merged into one.

        Raises `InvalidCursor`.
        """
        queries = [query] if isinstance(query, Select) else query
        if cursor is not None:
            after = self._after(self._decode(cursor))
            queries = [one.where(after) for one in queries]
        directed = [column.desc() if self._descending else column.asc() for column in self._columns]
        lists = [session.scalars(one.order_by(*directed).limit(limit + 1)) for one in queries]
        rows = list(islice(heapq.merge(*lists, key=self._values, reverse=self._descending), limit + 1))
        page = rows[:limit]
        return Page(tuple(read(row) for row in page), self._encode(page[-1]) if len(rows) > limit else None)

    def _after(self, values: Sequence[Any]) -> ColumnElement[bool]:
        here = tuple_(*self._columns)
        there = tuple_(*(literal(value, column.type) for column, value in zip(self._columns, values, strict=True)))
        return here < there if self._descending else here > there

    def _values(self, row: Any) -> list[Any]:
        return [getattr(row, column.key) for column in self._columns]

    def _encode(self, last: Any) -> str:
        written = msgspec.json.encode([self._name, *self._values(last)])
        return base64.urlsafe_b64encode(written).decode().rstrip("=")

    def _decode(self, cursor: str) -> list[Any]:
        types = [column.type.python_type for column in self._columns]
        try:
            name, *values = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if name != self._name or len(values) != len(types):
                raise ValueError("made by another list")
            return [
                msgspec.convert(value, _BINDABLE.get(type_, type_)) for value, type_ in zip(values, types, strict=True)
            ]
        except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as cause:
            raise InvalidCursor("take `next_cursor` of the page before, with the same `sort`") from cause


def among(
    session: Session, key: InstrumentedAttribute[Any], found: Select[Any], otherwise: ColumnElement[bool]
) -> ColumnElement[bool]:
    """The condition of a list for rows whose keys are `found` by an index; `otherwise` is the same, row by row."""
    return key.in_(found) if is_few(session, found) else otherwise


def is_few(session: Session, found: Select[Any] | CompoundSelect[Any]) -> bool:
    """Whether they are looked up one by one: of many, the list in its order soon has a page.

    SQLite does not count them, and would read a list of a million to its end for the three that are in it.
    """
    count = session.scalar(select(func.count()).select_from(found.limit(_FEW + 1).subquery())) or 0
    return count <= _FEW


def unindexed(column: InstrumentedAttribute[T]) -> ColumnElement[T]:
    """The same value, by which no index is chosen: SQLite knows nothing of how often a value is there."""
    return func.coalesce(column, column)


def changed_after(
    session: Session, key: InstrumentedAttribute[Any], column: InstrumentedAttribute[Any], moment: datetime
) -> ColumnElement[bool]:
    """The condition of a list for rows whose `column` is later."""
    return among(session, key, select(key).where(column > moment).correlate(None), column > moment)

"""Lists, page by page: a cursor names the last row seen, so that rows may come and go between two pages."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_
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
_NEAR: Final = 20
"""Of so many rows as are wanted the first ones of a list are looked through, before all that is found is sorted."""


class Among(NamedTuple):
    """A condition of a list: `holds` tells it of a row, and an index has `found` the keys of all such rows, or of more.

    Where these are more than some, the list is first looked through from its beginning. If that has no page, as for a
    word that only the last names have, a few are looked up; for many, the list is walked by its keys alone, which are
    looked for among all that were found.
    """

    holds: ColumnElement[bool]
    found: Select[Any] | None = None


class Keyset:
    """A total order of a list: by one column, then by the key; a name that begins with `-` sorts downwards."""

    def __init__(self, name: str, column: InstrumentedAttribute[Any], key: InstrumentedAttribute[Any]) -> None:
        self.name = name
        self._key = key
        self._columns = [column] if column is key else [column, key]
        self._descending = name.startswith("-")
        self._order = [each.desc() if self._descending else each.asc() for each in self._columns]

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
        parts = [Part(self, [query] if isinstance(query, Select) else query)]
        return fetch(session, parts, cursor, limit, read)

    def rows(
        self,
        session: Session,
        queries: Sequence[Select[Any]],
        after: Sequence[Any] | None,
        count: int,
        among: Sequence[Among],
    ) -> Sequence[Any]:
        """The first ones after those values, of all queries."""
        if after is not None:
            queries = [query.where(self._is_behind(after)) for query in queries]
        lists = [self._rows(session, query, count, among) for query in queries]
        return list(islice(heapq.merge(*lists, key=self._values_of, reverse=self._descending), count))

    def encode(self, last: Any) -> str:
        """The cursor behind this row."""
        written = msgspec.json.encode([self.name, *self._values_of(last)])
        return base64.urlsafe_b64encode(written).decode().rstrip("=")

    def values(self, cursor: Sequence[Any]) -> list[Any]:
        """Those that the cursor was made of. Raises `ValueError` or `msgspec.ValidationError`."""
        types = [column.type.python_type for column in self._columns]
        return [msgspec.convert(value, _BINDABLE.get(type_, type_)) for value, type_ in zip(cursor, types, strict=True)]

    def _values_of(self, row: Any) -> list[Any]:
        return [getattr(row, column.key) for column in self._columns]

    def _rows(self, session: Session, query: Select[Any], count: int, among: Sequence[Among]) -> Sequence[Any]:
        wanted = query.where(*(one.holds for one in among)).order_by(*self._order).limit(count)
        known = [one.found for one in among if one.found is not None]
        numbers = [_count(session, found) for found in known]
        if known and min(numbers) > _NEAR * count:
            end = session.execute(self._place(query, _NEAR * count)).first()
            near = session.scalars(wanted if end is None else wanted.where(self._is_not_behind(end))).all()
            if end is None or len(near) == count:
                return near
        few = [found for found, number in zip(known, numbers, strict=True) if number <= _FEW]
        return self._looked_up(session, wanted, few) if few or not known else self._walked(session, wanted, known[0])

    def _looked_up(self, session: Session, wanted: Select[Any], found: Sequence[Select[Any]]) -> Sequence[Any]:
        return session.scalars(wanted.where(*(self._key.in_(keys) for keys in found))).all()

    def _walked(self, session: Session, wanted: Select[Any], found: Select[Any]) -> Sequence[Any]:
        """As looked up, but in the order of the list: to see whether a row is among many takes its key alone."""
        key = self._key if len(self._columns) == 1 else self._key + 0
        return session.scalars(wanted.where(key.in_(found))).all()

    def _place(self, query: Select[Any], number: int) -> Select[Any]:
        """Of the row of that number."""
        return query.with_only_columns(*self._columns).order_by(*self._order).offset(number).limit(1)

    def _is_behind(self, values: Sequence[Any]) -> ColumnElement[bool]:
        here, there = tuple_(*self._columns), self._there(values)
        return here < there if self._descending else here > there

    def _is_not_behind(self, values: Sequence[Any]) -> ColumnElement[bool]:
        here, there = tuple_(*self._columns), self._there(values)
        return here >= there if self._descending else here <= there

    def _there(self, values: Sequence[Any]) -> ColumnElement[Any]:
        return tuple_(*(literal(value, column.type) for column, value in zip(self._columns, values, strict=True)))


class Part(NamedTuple):
    """Of a list whose rows come in an order of their own after those of the part before; none is in two parts."""

    keyset: Keyset
    queries: Sequence[Select[Any]]
    among: Sequence[Among] = ()


def fetch(session: Session, parts: Sequence[Part], cursor: str | None, limit: int, read: Callable[[Any], T]) -> Page[T]:
    """The page after `cursor` of all parts, each row `read`. Raises `InvalidCursor`."""
    parts, after = (parts, None) if cursor is None else _from(parts, cursor)
    found: list[tuple[Keyset, Any]] = []
    for part in parts:
        rows = part.keyset.rows(session, part.queries, after, limit + 1 - len(found), part.among)
        found += ((part.keyset, row) for row in rows)
        after = None
        if len(found) > limit:
            keyset, last = found[limit - 1]
            return Page(tuple(read(row) for _, row in found[:limit]), keyset.encode(last))
    return Page(tuple(read(row) for _, row in found), None)


def _from(parts: Sequence[Part], cursor: str) -> tuple[Sequence[Part], list[Any]]:
    """The part that the cursor is of and those behind it, and where it begins."""
    try:
        name, *values = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        place = [part.keyset.name for part in parts].index(name)
        return parts[place:], parts[place].keyset.values(values)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as cause:
        raise InvalidCursor("take `next_cursor` of the page before, with the same `sort`") from cause


def is_few(session: Session, found: Select[Any]) -> bool:
    """Whether they are looked up one by one: of many, the list in its order soon has a page.

    SQLite does not count them, and would read a list of a million to its end for the three that are in it.
    """
    return _count(session, found) <= _FEW


def unindexed(column: InstrumentedAttribute[T]) -> ColumnElement[T]:
    """The same value, by which no index is chosen: SQLite knows nothing of how often a value is there."""
    return func.coalesce(column, column)


def _count(session: Session, found: Select[Any]) -> int:
    """Many are not counted to the end."""
    return session.scalar(select(func.count()).select_from(found.limit(_FEW + 1).subquery())) or 0

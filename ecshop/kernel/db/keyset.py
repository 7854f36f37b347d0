"""Lists, page by page: a cursor names the last row seen, so that rows may come and go between two pages."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final, NamedTuple, TypeVar, cast

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, CompoundSelect, Index, Select, asc, desc, func, literal, select, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ecshop.kernel.errors import InvalidCursor
from ecshop.kernel.values import MAX_INT64, Page

T = TypeVar("T")
Found = Select[Any] | CompoundSelect[Any]

_BINDABLE: Final[dict[type, Any]] = {
    int: Annotated[int, Meta(ge=-MAX_INT64 - 1, le=MAX_INT64)],
    str: Annotated[str, Meta(pattern=r"^[^\x00]*(?![\s\S])")],
    datetime: Annotated[datetime, Meta(tz=True)],
}
"""What the database takes of a type: a cursor may have been made up by anybody."""
_FEW: Final = 10_000
_SOME: Final = 4_000
"""To read as many rows takes as long as to read an index of a hundred thousand."""
_SEVERAL: Final = 4
"""To be narrowed by so many others takes a key less time than to be looked for in an index."""
_NEAR: Final = 20
"""Of so many times the rows that are wanted a list is looked through first: of one row in twenty it has a page then."""
_ENOUGH: Final = 2
"""Of so many times the rows that are wanted keys are taken: an index of parts of a text may have found too much."""


class Among(NamedTuple):
    """A condition of a list: `holds` tells it of a row, and an index has `found` the keys of all such rows, or of more.

    Where these are more than some, the list is first looked through from its beginning. If that has no page, as for a
    word that only the last names have, all of them are sorted by the list's own index, and the rows of a page are read.
    `is_listed` is False of what that index does not know, and of what is sooner found than told from it.
    """

    holds: ColumnElement[bool]
    found: Found | None = None
    is_listed: bool = True


class Keyset:
    """A total order of a list: by one column, then by the key; a name that begins with `-` sorts downwards."""

    def __init__(
        self,
        name: str,
        column: InstrumentedAttribute[Any],
        key: InstrumentedAttribute[Any],
        index: Index | None = None,
    ) -> None:
        """The `index` of a list with conditions begins with the key; SQLite reads all of it, or what is found.

        A row with long texts takes ten times as long. PostgreSQL knows by its statistics what to read.
        """
        self.name = name
        self._key, self._index = key, index
        self._columns = [column] if column is key else [column, key]
        self._descending = name.startswith("-")
        self._direction: Callable[[Any], Any] = desc if self._descending else asc
        self._order = [self._direction(each) for each in self._columns]

    def fetch(
        self,
        session: Session,
        query: Select[Any],
        cursor: str | None,
        limit: int,
        read: Callable[[Any], T],
        within: Sequence[ColumnElement[bool]] = (),
    ) -> Page[T]:
        """The page after `cursor`, each row `read`. Raises `InvalidCursor`."""
        return fetch(session, [Part(self, [query], within=within)], cursor, limit, read)

    def rows(self, session: Session, part: Part, after: Sequence[Any] | None, count: int) -> Sequence[Any]:
        """The first ones after those values, of all queries: each is read as far as those before leave it room."""
        first: list[Any] = []
        for query in part.queries:
            bounds = [] if after is None else [self._is_behind(after)]
            if len(first) == count:
                bounds.append(self._is_not_behind(self._values_of(first[-1])))
            rows = self._rows(session, query.where(*bounds, *part.within), count, part.among)
            first = list(islice(heapq.merge(first, rows, key=self._values_of, reverse=self._descending), count))
        return first

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
        if not among:
            return session.scalars(wanted).all()
        index = self._index if session.get_bind().dialect.name == "sqlite" else None
        number, found, told = _narrowest(session, among, has_index=index is not None)
        if number > _NEAR * count:
            end = session.execute(self._place(query, _NEAR * count)).first()
            near = session.scalars(wanted if end is None else wanted.where(self._is_not_behind(end))).all()
            if end is None or len(near) == count:
                return near
        if index is not None and all(one.is_listed or any(one is each for each in told) for one in among):
            listed = query.where(*(one.holds for one in among if one.is_listed)).limit(_ENOUGH * count)
            keys = session.scalars(self._keys(index, listed, found)).all()
            rows = session.scalars(wanted.where(self._key.in_(keys))).all() if keys else []
            if len(rows) == count or len(keys) < _ENOUGH * count:
                return rows
        return session.scalars(wanted if found is None else wanted.where(self._key.in_(found))).all()

    def _keys(self, index: Index, listed: Select[Any], found: Found | None) -> Select[Any]:
        """Of the rows of a list that are found, by that index alone."""
        hint, order = f"INDEXED BY {index.name}", self._order
        keys = listed.with_only_columns(self._key).with_hint(self._key.class_, hint, "sqlite")
        if found is not None:
            joined = found.subquery()
            order = [*order[:-1], self._direction(joined.c[0])]
            keys = keys.join(joined, joined.c[0] == self._key)
        return keys.order_by(*order)

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
    """One list, or several that are merged into one."""
    among: Sequence[Among] = ()
    within: Sequence[ColumnElement[bool]] = ()
    """Conditions on what the keyset sorts by. They are told after the cursor, which is the nearer bound of the two:
    SQLite goes through an index from the first one that it is told.
    """


def fetch(session: Session, parts: Sequence[Part], cursor: str | None, limit: int, read: Callable[[Any], T]) -> Page[T]:
    """The page after `cursor` of all parts, each row `read`. Raises `InvalidCursor`."""
    parts, after = (parts, None) if cursor is None else _from(parts, cursor)
    found: list[tuple[Keyset, Any]] = []
    for part in parts:
        rows = part.keyset.rows(session, part, after, limit + 1 - len(found))
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
    return _count(session, found, _FEW) <= _FEW


class _Unindexed(FunctionElement[Any]):
    inherit_cache = True

    def __init__(self, column: InstrumentedAttribute[Any]) -> None:
        super().__init__(column)
        self.type = column.type


def unindexed(column: InstrumentedAttribute[T], *, on_server: bool = True) -> ColumnElement[T]:
    """The same value, by which no index is chosen: SQLite knows nothing of how often a value is there.

    Nor does a server know of values that are always new, as times are; of others it knows better.
    """
    return func.coalesce(column, column) if on_server else _Unindexed(column)


@compiles(_Unindexed)
def _as_it_is(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Unindexed, "sqlite")
def _without_index(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


class _Narrowest(NamedTuple):
    number: int
    """At least."""
    found: Found | None
    """Their keys, unless all of an index is read sooner."""
    told: Sequence[Among] = ()
    """The conditions that these fulfil."""


def _narrowest(session: Session, among: Sequence[Among], *, has_index: bool) -> _Narrowest:
    """What leaves the fewest rows."""
    counted = [(_count(session, one.found, _SOME), one) for one in among if one.found is not None]
    if not counted:
        return _Narrowest(_SOME + 1, None)
    counted.sort(key=lambda it: (it[0] > _SOME, it[1].is_listed, it[0]))
    number, first = counted[0]
    if not (has_index and first.is_listed):
        return _Narrowest(number, first.found, [first])
    if number > _SOME:
        return _Narrowest(number, None)
    most = min(_FEW, _SEVERAL * number)
    others = [
        one
        for count, one in counted[1:]
        if count <= most and (count <= _SOME or _count(session, cast(Found, one.found), most) <= most)
    ]
    keys = cast(Found, first.found).limit(_SOME).subquery().c[0]
    found = select(keys).where(*(keys.in_(cast(Found, one.found)) for one in others))
    return _Narrowest(number, found, [first, *others])


def _count(session: Session, found: Found, most: int) -> int:
    """More are not counted to the end."""
    return session.scalar(select(func.count()).select_from(found.limit(most + 1).subquery())) or 0

"""One statement for many rows or many keys: what SQLAlchemy's Core does at each execution, done once a statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple, cast

import msgspec
from sqlalchemy import (
    JSON,
    BindParameter,
    Delete,
    Dialect,
    Insert,
    LargeBinary,
    Select,
    Table,
    Update,
    bindparam,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.visitors import cloned_traverse, replacement_traverse
from sqlalchemy.types import TypeDecorator

Row = Mapping[str, Any]
Processor = Callable[[Any], Any]

KEYS: Final = "keys"
"""The name of the expanding parameter of a statement for many keys."""
_ROWS: Final = "rows"
_NUMBER: Final = "number"
_STEP: Final = 8
"""Keys are made this many times something, by the last one again: few statements are compiled, and prepared by a
server.
"""


class _Prepared(NamedTuple):
    text: str
    bound: Sequence[tuple[str, Processor | None]]
    """In the order of the statement; where that has many keys, in the place of them all."""
    is_positional: bool
    read: Sequence[Processor | None] = ()
    """What is done with each column of an answer, if anything is."""


def execute_many(session: Session, statement: Insert | Update | Delete, rows: Sequence[Row]) -> None:
    """`statement` is a constant, and its only values are those of the rows; all rows have the same names, and no two
    the same key. The defaults of columns are not applied.

    2.8 us a row against 4.1 by Core, of which an order writes eight. A server has all of them in one statement.
    """
    if not rows:
        return
    connection = session.connection()
    prepared = _for_rows(connection.dialect, statement, tuple(rows[0]))
    values = list(zip(*[_done(bind, map(itemgetter(name), rows)) for name, bind in prepared.bound], strict=True))
    if prepared.is_positional:
        connection.exec_driver_sql(prepared.text, values)
    else:
        names = [name for name, _ in prepared.bound]
        table = [dict(zip(names, row, strict=True)) for row in values]
        connection.exec_driver_sql(prepared.text, {_ROWS: msgspec.json.encode(table).decode()})


def select_many(session: Session, statement: Select[*tuple[Any, ...]], keys: Iterable[Any], **values: Any) -> list[Any]:
    """The rows, as tuples, of a constant `statement` for the `KEYS`, and the `values` of its other parameters.

    1.0 us a key against 2.1 by Core, which writes the statement anew each time; an order has six.
    """
    return _with_keys(session, statement, list(keys), values)


def change_many(session: Session, statement: Update, keys: Iterable[Any], **values: Any) -> None:
    """As `select_many`, with a statement that changes all its rows in the same way."""
    _with_keys(session, statement, list(keys), values)


def next_keys(session: Session, table: Table, number: int) -> Sequence[int]:
    """Counted keys, ascending, for rows that are about to be added: of a file, nobody else adds any meanwhile."""
    if not number:
        return ()
    if session.get_bind().dialect.name == "sqlite":
        last = session.scalar(_largest_key(table)) or 0
        return range(last + 1, last + 1 + number)
    return session.scalars(_counted_keys(table), {_NUMBER: number}).all()


@cache
def _largest_key(table: Table) -> Select[int | None]:
    return select(func.max(*table.primary_key))


@cache
def _counted_keys(table: Table) -> Select[int]:
    [key] = table.primary_key
    sequence = func.pg_get_serial_sequence(table.name, key.name)
    return select(func.nextval(sequence)).select_from(func.generate_series(1, bindparam(_NUMBER)))


def _with_keys(
    session: Session, statement: Select[*tuple[Any, ...]] | Update, keys: list[Any], values: Row
) -> list[Any]:
    if not keys:
        return []
    keys += [keys[-1]] * (-len(keys) % _STEP)
    connection = session.connection()
    prepared = _for_keys(connection.dialect, statement, len(keys))
    bound = [(name, list(_done(bind, keys if name == KEYS else [values[name]]))) for name, bind in prepared.bound]
    if prepared.is_positional:
        answer = connection.exec_driver_sql(prepared.text, tuple(chain.from_iterable(some for _, some in bound)))
    else:
        answer = connection.exec_driver_sql(prepared.text, dict(_named(bound)))
    if not answer.returns_rows:
        return []
    columns = zip(*answer.all(), strict=True)
    return list(zip(*map(_done, prepared.read, columns), strict=True))


def _done(process: Processor | None, column: Iterable[Any]) -> Iterable[Any]:
    """By column instead of by row, for then no step of it is one of Python's."""
    return column if process is None else map(process, column)


def _named(bound: Iterable[tuple[str, Sequence[Any]]]) -> Iterator[tuple[str, Any]]:
    """As SQLAlchemy names the values of an expanding parameter."""
    for name, values in bound:
        if name == KEYS:
            yield from ((f"{KEYS}_{number}", value) for number, value in enumerate(values, 1))
        else:
            yield name, values[0]


@cache
def _for_rows(dialect: Dialect, statement: Insert | Update | Delete, names: tuple[str, ...]) -> _Prepared:
    columns = list(names) if isinstance(statement, Insert) else None
    compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
    if compiled.positional:
        return _prepared(dialect, compiled, compiled.positiontup)
    types = {name: compiled.binds[name].type for name in names}
    bound = [(name, _as_json(dialect, type_)) for name, type_ in types.items()]
    return _Prepared(str(_from_table(statement, types).compile(dialect=dialect)), bound, is_positional=False)


def _from_table(statement: Insert | Update | Delete, types: Mapping[str, Any]) -> Insert | Update | Delete:
    """The same for all rows of a table that comes as JSON."""
    columns = [column(name, type_) for name, type_ in types.items()]
    function = func.json_to_recordset(bindparam(_ROWS, type_=JSON))
    table = function.table_valued(*columns, name=_ROWS).render_derived(with_types=True)
    if isinstance(statement, Insert):
        return insert(statement.table).from_select(list(types), select(*table.c), include_defaults=False)

    def in_table(element: Any, **_: Any) -> Any:
        return table.c[element.key] if isinstance(element, BindParameter) else None

    of_table: Update | Delete = replacement_traverse(cast(Any, statement), {}, in_table)
    return of_table


@cache
def _for_keys(dialect: Dialect, statement: Select[*tuple[Any, ...]] | Update, number: int) -> _Prepared:
    def fill(parameter: Any) -> None:
        parameter.required = False
        if parameter.key == KEYS:
            parameter.value = [None] * number

    filled = cloned_traverse(statement, {}, {"bindparam": fill})
    compiled: Any = filled.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    names = [KEYS if name.startswith(f"{KEYS}_") else name for name in compiled.positiontup or compiled.binds]
    together = [name for name, _ in groupby(names)]
    read = [_processor(dialect, column.type, "result") for column in getattr(statement, "selected_columns", ())]
    return _prepared(dialect, compiled, together)._replace(read=read)


def _prepared(dialect: Dialect, compiled: Any, names: Iterable[str]) -> _Prepared:
    bound = [(name, _processor(dialect, compiled.binds[name].type, "bind")) for name in names]
    return _Prepared(str(compiled), bound, bool(compiled.positional))


def _processor(dialect: Dialect, type_: Any, way: Literal["bind", "result"]) -> Processor | None:
    known = type_.dialect_impl(dialect)
    found: Processor | None = known.bind_processor(dialect) if way == "bind" else known.result_processor(dialect, None)
    return found


def _as_json(dialect: Dialect, type_: Any) -> Processor | None:
    kept = type_.dialect_impl(dialect)
    bind = _processor(dialect, kept, "bind")
    if isinstance(kept, LargeBinary):
        return _hex
    if bind is not None and isinstance(kept, TypeDecorator) and isinstance(kept.impl, LargeBinary):
        return lambda value: _hex(bind(value))
    return bind


def _hex(value: bytes | None) -> str | None:
    """As PostgreSQL writes and reads bytes (section 8.4.1)."""
    return None if value is None else f"\\x{value.hex()}"

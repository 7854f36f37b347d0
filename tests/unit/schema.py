"""A database's schema as sentences in no order, so that two can be compared and a difference can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Inspector, inspect, text

MigratedEngine = Callable[[str], Engine]


def versions(context: str) -> Path:
    """Where the context's migrations are."""
    folder: Path = import_module(f"ecshop.{context}.module").MIGRATIONS
    return folder


def schema(connection: Connection) -> set[str]:
    """Everything that its tables promise, wherever in its table a column stands."""
    inspector = inspect(connection)
    return {
        f"{table}: {sentence}"
        for table in inspector.get_table_names()
        if table != "alembic_version" and not is_an_index(table)
        for part in (_columns, _constraints, _indexes, _options)
        for sentence in part(inspector, table)
    } | set(_counting(connection))


def is_an_index(table: str) -> bool:
    """Whether it is one of those that FTS5 keeps the parts of products in; the tests of the search know them."""
    return table.startswith("product_search")


def assert_same_schema(migrated: set[str], modelled: set[str]) -> None:
    missing = [f"only the models say    {sentence}" for sentence in sorted(modelled - migrated)]
    too_much = [f"only the migrations say {sentence}" for sentence in sorted(migrated - modelled)]
    assert not missing + too_much, "\n".join(["the migrations and the models differ:", *missing, *too_much])


def _columns(inspector: Inspector, table: str) -> Iterator[str]:
    for column in inspector.get_columns(table):
        default = "" if column["default"] is None else f", default {column['default']}"
        null = "nullable" if column["nullable"] else "not null"
        yield f"column {column['name']} {column['type']!r}, {null}{default}"
    yield f"primary key {_listed(inspector.get_pk_constraint(table)['constrained_columns'])}"


def _constraints(inspector: Inspector, table: str) -> Iterator[str]:
    for check in inspector.get_check_constraints(table):
        yield f"check {check['name']}: {check['sqltext']}"
    for unique in inspector.get_unique_constraints(table):
        yield f"unique {_listed(unique['column_names'])}"
    for key in inspector.get_foreign_keys(table):
        referred = f"{key['referred_table']} {_listed(key['referred_columns'])}"
        yield f"foreign key {_listed(key['constrained_columns'])} to {referred}, options {key.get('options', {})}"


def _indexes(inspector: Inspector, table: str) -> Iterator[str]:
    for index in inspector.get_indexes(table):
        where = index.get("dialect_options", {}).get("sqlite_where")
        kind = "unique index" if index["unique"] else "index"
        yield f"{kind} {index['name']} {_listed(index['column_names'])}" + ("" if where is None else f" where {where}")


def _options(inspector: Inspector, table: str) -> Iterator[str]:
    for option, value in inspector.get_table_options(table).items():
        yield f"option {option} is {value}"


def _counting(connection: Connection) -> Iterator[str]:
    """The tables that use no key twice, which no inspector tells."""
    if connection.dialect.name != "sqlite":
        return
    made_by = text("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'")
    for table in connection.scalars(made_by):
        yield f"{table}: option AUTOINCREMENT"


def _listed(names: Any) -> str:
    return f"({', '.join(names)})"

"""A second migration of each context, as an example: the table that others refer to is rebuilt, and nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, MetaData, Table, select, text
from sqlalchemy.exc import IntegrityError

from ecshop.kernel.db.engine import open_engine, writing
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.db.schema_version import newest_version, schema_version
from entrypoints.contexts import NAMES
from tests.next_schema import TABLES, add_next
from tests.unit.schema import is_an_index, schema, versions

Row = Mapping[str, Any]

ONE, OTHER = sorted((uuid4().bytes, uuid4().bytes))


class Example(NamedTuple):
    """The table that the second migration changes, and the rows that all tables have before it."""

    table: str
    rows: Mapping[str, Sequence[Row]]


ACCOUNT: Final = {"password_hash": "", "role": "staff", "created_at": 1}
PRODUCT: Final = {
    **{"detail": "", "search_name": "", "search_detail": "", "price": 1200, "currency": "JPY"},
    **{"on_sale": True, "in_stock": True, "stock_version": 0, "updated_at": 1},
}
ORDER: Final = {
    **{"status": "c", "version": 1, "total": 1200, "currency": "JPY"},
    **{"lines": b"\x91\x94\x01\xa9Green tea\x01\xcd\x04\xb0", "placed_at": 1, "restock": True},
}

EXAMPLES: Final[Mapping[str, Example]] = {
    "auth": Example(
        TABLES["auth"],
        {
            "account": [
                {"id": ONE, "user_name": "Aoi", "name_key": "aoi", **ACCOUNT},
                {"id": OTHER, "user_name": "Ren", "name_key": "ren", **ACCOUNT},
            ]
        },
    ),
    "product": Example(
        TABLES["product"],
        {
            "category": [
                {"id": 1, "name": "Tea", "name_key": "tea"},
                {"id": 2, "name": "Pots", "name_key": "pots"},
            ],
            "product": [
                {"id": 1, "name": "Green tea", "name_key": "green tea", "category_id": 1, **PRODUCT},
                {"id": 2, "name": "A pot", "name_key": "a pot", "category_id": 2, **PRODUCT},
                {"id": 3, "name": "A cup", "name_key": "a cup", "category_id": None, **PRODUCT},
            ],
        },
    ),
    "stock": Example(
        TABLES["stock"],
        {
            "item": [
                {
                    "product_id": 1,
                    "on_hand": 5,
                    "reserved": 3,
                    "version": 1,
                    "state": "open",
                    "updated_at": 1,
                    "low_mark": 5,
                }
            ],
            "reservation": [
                {"order_id": id_, "state": "h", "attempt": 0, "units": b"\x81\x01\x02", "expires_at": 1}
                for id_ in (ONE, OTHER)
            ],
        },
    ),
    "order": Example(
        TABLES["order"],
        {
            "orders": [
                {"id": ONE, "user_id": uuid4().bytes, **ORDER},
                {"id": OTHER, "user_id": uuid4().bytes, **ORDER},
            ],
            "order_of_product": [{"product_id": 1, "placed_second": 1, "order_id": id_} for id_ in (ONE, OTHER)],
        },
    ),
}

each_context = pytest.mark.parametrize("context", NAMES)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/example.db")
    yield writing(engine)
    engine.dispose()


@each_context
def test_a_second_migration_keeps_every_row_and_what_it_refers_to(context: str, engine: Engine, tmp_path: Path) -> None:
    folder, example = _at_the_first_version(context, engine, tmp_path), EXAMPLES[context]
    before = _contents(engine)
    assert {table: len(rows) for table, rows in before.items() if rows} == {
        table: len(rows) for table, rows in example.rows.items()
    }

    second = add_next(context, folder)
    assert migrate(engine, folder)

    with_rank = [{**row, "rank": 7} for row in before[example.table]]
    assert _contents(engine) == {**before, example.table: with_rank}
    with engine.connect() as connection:
        assert list(connection.execute(text("PRAGMA foreign_key_check"))) == []
        assert schema_version(connection) == newest_version(folder) == second


@each_context
def test_a_second_migration_changes_no_more_of_the_schema_than_it_says(
    context: str, engine: Engine, tmp_path: Path
) -> None:
    folder, table = _at_the_first_version(context, engine, tmp_path), EXAMPLES[context].table
    before = _schema(engine)
    add_next(context, folder)
    migrate(engine, folder)
    assert before - _schema(engine) == set()
    assert _schema(engine) - before == {
        f"{table}: column rank BIGINT(), not null, default 7",
        f"{table}: check rank_positive: rank > 0",
    }


def test_after_a_second_migration_nothing_that_is_referred_to_can_be_deleted(engine: Engine, tmp_path: Path) -> None:
    folder, example = _at_the_first_version("product", engine, tmp_path), EXAMPLES["product"]
    add_next("product", folder)
    migrate(engine, folder)
    with engine.begin() as connection, pytest.raises(IntegrityError, match="FOREIGN KEY"):
        connection.execute(_table(connection, example.table).delete())


def _at_the_first_version(context: str, engine: Engine, tmp_path: Path) -> Path:
    """A database with rows in it, whatever came after the first version; returns the folder of its versions."""
    folder = tmp_path / "versions"
    folder.mkdir()
    [first] = versions(context).glob("0001_*.py")
    shutil.copy(first, folder)
    migrate(engine, folder)
    with engine.begin() as connection:
        for name, rows in EXAMPLES[context].rows.items():
            connection.execute(_table(connection, name).insert(), list(rows))
    return folder


def _contents(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """By table, its rows in the order of their keys."""
    with engine.connect() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        return {
            table.name: [
                dict(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for table in metadata.sorted_tables
            if table.name != "alembic_version" and not is_an_index(table.name)
        }


def _schema(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return schema(connection)


def _table(connection: Connection, name: str) -> Table:
    return Table(name, MetaData(), autoload_with=connection)

"""Migrations: they lead to exactly the schema of the models, and the database keeps the rules itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, MetaData, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ecshop.auth.models import Account
from ecshop.events import tables
from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import open_engine, writing
from ecshop.kernel.db.migration import migrate, newest_version, schema_version
from ecshop.order.models import OrderLineRow, OrderRow
from ecshop.product.models import ProductRow
from ecshop.stock.models import ItemRow, ReservationLineRow, ReservationRow
from entrypoints.contexts import NAMES

MigratedEngine = Callable[[str], Engine]
Rows = Callable[[], list[Any]]

each_context = pytest.mark.parametrize("context", NAMES)


def _versions(context: str) -> Path:
    versions: Path = import_module(f"ecshop.{context}.module").MIGRATIONS
    return versions


def _models(context: str) -> MetaData:
    """The context's own tables and those of the events, as one."""
    together = MetaData()
    for metadata in (import_module(f"ecshop.{context}.models").Base.metadata, tables.Base.metadata):
        for table in metadata.sorted_tables:
            table.to_metadata(together)
    return together


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[MigratedEngine]:
    engines: list[Engine] = []

    def migrate_(context: str) -> Engine:
        engine = open_engine(f"sqlite:///{tmp_path / context}.db")
        engines.append(engine)
        migrate(engine, _versions(context))
        return engine

    yield migrate_
    for engine in engines:
        engine.dispose()


def _schema(connection: Connection) -> dict[str, set[str]]:
    """By table or index, the definitions that SQLite keeps of it, in no order."""
    rows = connection.execute(
        text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    )
    return {
        name: {re.sub(r"\s+", " ", line).strip(" ,") for line in sql.splitlines()}
        for name, sql in rows
        if name != "alembic_version"
    }


@each_context
def test_the_migrations_make_what_the_models_say(context: str, migrated: MigratedEngine) -> None:
    with migrated(context).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), _models(context)) == []


@each_context
def test_the_migrations_make_the_same_checks_and_table_options(
    context: str, migrated: MigratedEngine, tmp_path: Path
) -> None:
    by_models = create_engine(f"sqlite:///{tmp_path}/by-models.db")
    with by_models.begin() as expected, migrated(context).connect() as connection:
        _models(context).create_all(expected)
        assert _schema(connection) == _schema(expected)
    by_models.dispose()


@each_context
def test_a_migrated_database_is_at_the_newest_version(context: str, migrated: MigratedEngine) -> None:
    with migrated(context).connect() as connection:
        assert schema_version(connection) == newest_version(_versions(context)) is not None


def test_an_empty_database_is_at_no_version(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db")
    with engine.connect() as connection:
        assert schema_version(connection) is None
    engine.dispose()


@each_context
def test_migrating_twice_does_nothing_the_second_time(context: str, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / context}.db")
    assert migrate(engine, _versions(context))
    with engine.connect() as connection:
        before = _schema(connection)
    assert not migrate(engine, _versions(context))
    with engine.connect() as connection:
        assert _schema(connection) == before
    engine.dispose()


@each_context
def test_foreign_keys_count_again_after_a_migration(context: str, migrated: MigratedEngine) -> None:
    with migrated(context).connect() as connection:
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def _item(on_hand: int, reserved: int) -> ItemRow:
    return ItemRow(product_id=1, on_hand=on_hand, reserved=reserved, version=1)


def _order(**other: Any) -> OrderRow:
    sound = {"id": uuid7(), "status": "confirmed", "version": 1, "user_id": uuid7(), "total": 0, "currency": "EUR"}
    return OrderRow(**(sound | {"placed_at": now()} | other))


def _order_line(quantity: int) -> list[Any]:
    order = _order()
    line = OrderLineRow(order_id=order.id, place=0, product_id=1, name="Tea", quantity=quantity, unit_price=1)
    return [order, line]


def _reservation_line(quantity: int, state: str = "held") -> list[Any]:
    order_id = uuid7()
    reservation = ReservationRow(order_id=order_id, state=state, expires_at=now())
    return [reservation, ReservationLineRow(order_id=order_id, product_id=1, quantity=quantity)]


def _product(price: int) -> ProductRow:
    return ProductRow(name="Tea", detail="", price=price, currency="EUR", on_sale=True)


def _account(role: str) -> Account:
    return Account(id=uuid7(), user_name="A", name_key="a", password_hash="", role=role, created_at=now())


BROKEN: dict[str, tuple[str, str, Rows]] = {
    "more units are promised than there are": ("stock", "never_oversold", lambda: [_item(on_hand=4, reserved=5)]),
    "fewer than no units are promised": ("stock", "never_oversold", lambda: [_item(on_hand=4, reserved=-1)]),
    "fewer than no units are on hand": ("stock", "never_oversold", lambda: [_item(on_hand=-1, reserved=0)]),
    "a reservation holds nothing": ("stock", "quantity_positive", lambda: _reservation_line(0)),
    "a reservation is in no known state": ("stock", "known_state", lambda: _reservation_line(1, state="lost")),
    "a confirmed order has no user": ("order", "only_a_tombstone_has_no_user", lambda: [_order(user_id=None)]),
    "a fulfilled order has no user": (
        "order",
        "only_a_tombstone_has_no_user",
        lambda: [_order(user_id=None, status="fulfilled")],
    ),
    "an order is in no known status": ("order", "known_status", lambda: [_order(status="lost")]),
    "an order costs less than nothing": ("order", "total_not_negative", lambda: [_order(total=-1)]),
    "an order line orders nothing": ("order", "quantity_positive", lambda: _order_line(0)),
    "a product costs less than nothing": ("product", "price_not_negative", lambda: [_product(-1)]),
    "a user has no known role": ("auth", "known_role", lambda: [_account("root")]),
}
SOUND: dict[str, tuple[str, Rows]] = {
    "every unit is promised": ("stock", lambda: [_item(on_hand=4, reserved=4)]),
    "a reservation holds a unit": ("stock", lambda: _reservation_line(1)),
    "a tombstone has no user": ("order", lambda: [_order(user_id=None, status="cancelled")]),
    "an order has a line": ("order", lambda: _order_line(1)),
    "a product is free": ("product", lambda: [_product(0)]),
    "a user is an admin": ("auth", lambda: [_account("admin")]),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_the_database_itself_refuses(broken: str, migrated: MigratedEngine) -> None:
    context, check, make = BROKEN[broken]
    failed = pytest.raises(IntegrityError, match=rf"CHECK constraint failed: {check}")
    with Session(writing(migrated(context))) as session, failed:
        _write(session, make())


@pytest.mark.parametrize("sound", SOUND)
def test_the_database_accepts(sound: str, migrated: MigratedEngine) -> None:
    context, make = SOUND[sound]
    with Session(writing(migrated(context))) as session:
        _write(session, make())
        session.commit()


def _write(session: Session, rows: list[Any]) -> None:
    for row in rows:
        session.add(row)
        session.flush()


def test_a_line_belongs_to_a_reservation(migrated: MigratedEngine) -> None:
    with (
        Session(writing(migrated("stock"))) as session,
        pytest.raises(IntegrityError, match="FOREIGN KEY"),
    ):
        _write(session, [ReservationLineRow(order_id=uuid7(), product_id=1, quantity=1)])

"""The doctor: silent about a sound shop, and with a finding for each way in which books can differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from ecshop.order.models import OrderRow
from entrypoints.contexts import NAMES
from entrypoints.databases import url_of
from entrypoints.operations.doctor import examine
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings
from tests.databases import Databases, OnPostgres, PostgresServer, for_a_shop
from tests.flows.test_commands import ecshop
from tests.invariants import all_is_well
from tests.shops import shop_together

WRONGS = {
    "ledger": ("stock", "UPDATE item SET on_hand = on_hand + 1 WHERE product_id = 1"),
    "reserved": ("stock", "UPDATE item SET reserved = reserved + 1 WHERE product_id = 1"),
    "oversold": ("stock", "UPDATE item SET reserved = on_hand + 1"),
    "movements": ("stock", "DELETE FROM movement WHERE reference IS NOT NULL AND delta < 0"),
    "history": ("stock", "UPDATE movement SET previous = NULL"),
    "orders": (
        "order",
        "UPDATE orders SET status = 'x', cancelled_by = 'staff', ended_at = placed_at WHERE status = 'c'",
    ),
    "reservations": ("order", "DELETE FROM orders"),
    "in stock": ("product", "UPDATE product SET in_stock = false WHERE id = 1"),
    "events": ("order", "UPDATE outbox SET heard_at = NULL"),
}
WRONG_ENDS = {
    "what is written off came back nowhere": (
        "stock",
        "DELETE FROM movement WHERE reference IN (SELECT order_id FROM reservation WHERE state = 'x')"
        " AND reason <> 'ordered'",
        "movements: order {}: written_off, and no line of the ledger says so",
    ),
    "what is written off is still there": (
        "stock",
        "DELETE FROM movement WHERE reason = 'not restocked'",
        "movements: order {}: written_off, and its ledger makes {{1: 0}}",
    ),
    "what was to be written off is returned": (
        "stock",
        "UPDATE reservation SET state = 'b' WHERE state = 'x'",
        "orders: order {}: cancelled, not restocked, and stock knows returned",
    ),
    "what was to come back is written off": (
        "order",
        "UPDATE orders SET restock = true",
        "orders: order {}: cancelled, and stock knows written_off",
    ),
}
OFF_GUARD = {
    "sqlite": ("PRAGMA ignore_check_constraints = ON", "PRAGMA foreign_keys = OFF"),
    "postgresql": (
        "ALTER TABLE IF EXISTS item DROP CONSTRAINT never_oversold",
        "SET session_replication_role = replica",
    ),
}
"""What lets a wrong in that the database would refuse."""
_LOST = select(OrderRow.id).where(OrderRow.restock.is_(False))
Spoil = Callable[[str, str], Settings]


def _shop_at_rest(folder: Path, database_url: str) -> Settings:
    """With an order that stands, one that was cancelled and one that was not restocked."""
    with shop_together(folder, ECSHOP_DATABASE_URL=database_url) as shop:
        product = shop.new_product(stock=10)
        shop.order(product, 3).raise_for_status()
        order = shop.order(product, 2).json()["id"]
        shop.call("POST", f"/orders/{order}/cancel", shop.customer).raise_for_status()
        lost = shop.order(product, 1).json()["id"]
        shop.call("POST", f"/orders/{lost}/cancel", shop.staff, json={"restock": False}).raise_for_status()
    return shop.settings


@pytest.fixture(scope="module")
def resting_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return _shop_at_rest(tmp_path_factory.mktemp("doctor"), "")


@pytest.fixture(scope="module")
def resting_on_postgres(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    databases = OnPostgres(postgres)
    yield _shop_at_rest(tmp_path_factory.mktemp("doctor"), for_a_shop(databases, migrated=True))
    databases.close()


@pytest.fixture
def sound(dbms: str, request: pytest.FixtureRequest) -> Settings:
    found: Settings = request.getfixturevalue(f"resting_on_{dbms}")
    return found


@pytest.fixture
def spoil(sound: Settings, databases: Databases, tmp_path: Path) -> Spoil:
    """Copies the shop's databases and makes one of them wrong."""

    def spoil_(context: str, wrong: str) -> Settings:
        urls = {name: databases.copy(name, url_of(sound, name)) for name in NAMES}
        engine = create_engine(urls[context])
        with engine.begin() as connection:
            for statement in (*OFF_GUARD[engine.dialect.name], wrong):
                connection.execute(text(statement))
        engine.dispose()
        return Settings(data_dir=str(tmp_path), database_url=databases.setting)

    return spoil_


def _doctor(settings: Settings) -> tuple[int, str]:
    said = ecshop("doctor", "--data-dir", settings.data_dir, ECSHOP_DATABASE_URL=settings.database_url)
    return said.returncode, said.stdout


def test_a_sound_shop_is_called_well(sound: Settings) -> None:
    all_is_well(sound.folder, sound.database_url)
    assert _doctor(sound) == (0, "all is well\n")


@pytest.mark.parametrize("rule", WRONGS)
def test_what_differs_is_found_under_its_rule(rule: str, spoil: Spoil) -> None:
    assert rule in {finding.rule for finding in examine(spoil(*WRONGS[rule]))}


@pytest.mark.parametrize("wrong", WRONG_ENDS)
def test_an_order_that_is_not_restocked_must_have_left_the_stock(wrong: str, sound: Settings, spoil: Spoil) -> None:
    context, statement, finding = WRONG_ENDS[wrong]
    order = beside_the_shop(sound, "order", lambda session: session.scalar(_LOST))
    assert finding.format(order) in [str(one) for one in examine(spoil(context, statement))]


def test_what_is_wrong_is_said_in_a_line_and_by_the_exit_status(spoil: Spoil) -> None:
    status, said = _doctor(spoil(*WRONGS["ledger"]))
    assert status == 1
    assert "ledger: product 1: 7 on hand, the ledger makes 6" in said

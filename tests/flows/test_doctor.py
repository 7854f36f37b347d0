"""The doctor: silent about a sound shop, and with a finding for each way in which books can differ."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from entrypoints.contexts import NAMES
from entrypoints.operations.doctor import examine
from entrypoints.settings import Settings
from tests.flows.test_commands import ecshop
from tests.invariants import all_is_well
from tests.shops import shop_together

WRONGS = {
    "ledger": ("stock", "UPDATE item SET on_hand = on_hand + 1 WHERE product_id = 1"),
    "reserved": ("stock", "UPDATE item SET reserved = reserved + 1 WHERE product_id = 1"),
    "oversold": ("stock", "PRAGMA ignore_check_constraints = ON; UPDATE item SET reserved = on_hand + 1"),
    "movements": ("stock", "DELETE FROM movement WHERE reference IS NOT NULL AND delta < 0"),
    "orders": ("order", "UPDATE orders SET status = 'cancelled', cancelled_by = 'staff' WHERE status = 'confirmed'"),
    "reservations": ("order", "PRAGMA foreign_keys = OFF; DELETE FROM orders"),
    "in stock": ("product", "UPDATE product SET in_stock = 0 WHERE id = 1"),
    "events": ("order", "UPDATE outbox SET heard_at = NULL"),
}
WRONG_ENDS = {
    "what is written off came back nowhere": (
        "stock",
        "DELETE FROM movement WHERE reference IN (SELECT order_id FROM reservation WHERE state = 'written_off')"
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
        "UPDATE reservation SET state = 'returned' WHERE state = 'written_off'",
        "orders: order {}: cancelled, not restocked, and stock knows returned",
    ),
    "what was to come back is written off": (
        "order",
        "UPDATE orders SET restock = 1",
        "orders: order {}: cancelled, and stock knows written_off",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a shop with an order that stands, one that was cancelled and one that was not restocked, at rest."""
    folder = tmp_path_factory.mktemp("doctor")
    with shop_together(folder) as shop:
        product = shop.new_product(stock=10)
        shop.order(product, 3).raise_for_status()
        order = shop.order(product, 2).json()["id"]
        shop.call("POST", f"/orders/{order}/cancel", shop.customer).raise_for_status()
        lost = shop.order(product, 1).json()["id"]
        shop.call("POST", f"/orders/{lost}/cancel", shop.staff, json={"restock": False}).raise_for_status()
    return folder


def test_a_sound_shop_is_called_well(folder: Path) -> None:
    all_is_well(folder)
    said = ecshop("doctor", "--data-dir", str(folder))
    assert (said.returncode, said.stdout) == (0, "all is well\n")


@pytest.mark.parametrize("rule", WRONGS)
def test_what_differs_is_found_under_its_rule(rule: str, folder: Path, tmp_path: Path) -> None:
    context, wrong = WRONGS[rule]
    _copy(folder, tmp_path, context, wrong)
    found = {finding.rule for finding in examine(Settings(data_dir=str(tmp_path)))}
    assert rule in found


@pytest.mark.parametrize("wrong", WRONG_ENDS)
def test_an_order_that_is_not_restocked_must_have_left_the_stock(wrong: str, folder: Path, tmp_path: Path) -> None:
    context, statement, finding = WRONG_ENDS[wrong]
    _copy(folder, tmp_path, context, statement)
    with closing(sqlite3.connect(folder / "order.db")) as connection:
        [(order,)] = connection.execute("SELECT id FROM orders WHERE NOT restock")
    assert finding.format(UUID(order)) in [str(one) for one in examine(Settings(data_dir=str(tmp_path)))]


def test_what_is_wrong_is_said_in_a_line_and_by_the_exit_status(folder: Path, tmp_path: Path) -> None:
    _copy(folder, tmp_path, *WRONGS["ledger"])
    said = ecshop("doctor", "--data-dir", str(tmp_path))
    assert said.returncode == 1
    assert "ledger: product 1: 7 on hand, the ledger makes 6" in said.stdout


def _copy(folder: Path, to: Path, context: str, wrong: str) -> None:
    """The shop's databases, one of them made wrong."""
    for name in NAMES:
        (to / f"{name}.db").write_bytes((folder / f"{name}.db").read_bytes())
    with closing(sqlite3.connect(to / f"{context}.db")) as connection, connection:
        connection.executescript(wrong)

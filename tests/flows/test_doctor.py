"""The doctor: silent about a sound shop, and with a finding for each way in which books can differ."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

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
    "orders": ("order", "UPDATE orders SET status = 'cancelled' WHERE status = 'confirmed'"),
    "reservations": ("order", "PRAGMA foreign_keys = OFF; DELETE FROM orders"),
    "in stock": ("product", "UPDATE product SET in_stock = 0 WHERE id = 1"),
    "events": ("order", "UPDATE outbox SET heard_at = NULL"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a shop with an order that stands and one that was cancelled, at rest."""
    folder = tmp_path_factory.mktemp("doctor")
    with shop_together(folder) as shop:
        product = shop.new_product(stock=10)
        shop.order(product, 3).raise_for_status()
        order = shop.order(product, 2).json()["id"]
        shop.call("POST", f"/orders/{order}/cancel", shop.customer).raise_for_status()
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


def test_what_is_wrong_is_said_in_a_line_and_by_the_exit_status(folder: Path, tmp_path: Path) -> None:
    _copy(folder, tmp_path, *WRONGS["ledger"])
    said = ecshop("doctor", "--data-dir", str(tmp_path))
    assert said.returncode == 1
    assert "ledger: product 1: 8 on hand, the ledger makes 7" in said.stdout


def _copy(folder: Path, to: Path, context: str, wrong: str) -> None:
    """The shop's databases, one of them made wrong."""
    for name in NAMES:
        (to / f"{name}.db").write_bytes((folder / f"{name}.db").read_bytes())
    with closing(sqlite3.connect(to / f"{context}.db")) as connection, connection:
        connection.executescript(wrong)

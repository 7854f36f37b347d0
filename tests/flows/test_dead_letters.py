"""Dead letters as an operator meets them: beside a running shop, in one process and as services."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from uuid import uuid4

from ecshop.events.catalog import OrderCancelled
from ecshop.events.envelope import Envelope, seal, to_bytes
from tests.flows.test_commands import ecshop
from tests.shops import RunningShop
from tests.waiting import eventually


def buried(shop: RunningShop, body: bytes = b"") -> Envelope:
    """A letter in stock's table, as the consumer would have left it."""
    envelope = seal(OrderCancelled(uuid4(), 1))
    row = ("stock", envelope.id, "" if body else envelope.type, body or to_bytes(envelope), "RuntimeError: no", 6, 0)
    with closing(sqlite3.connect(shop.folder / "stock.db", timeout=10)) as connection, connection:
        connection.execute("INSERT INTO dead_letter VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return envelope


def listed(shop: RunningShop) -> str:
    return ecshop("dlq", "list", "--data-dir", str(shop.folder)).stdout


def settle(shop: RunningShop, verdict: str, event_id: str) -> tuple[int, str]:
    done = ecshop("dlq", verdict, "stock", event_id, "--data-dir", str(shop.folder))
    return done.returncode, done.stdout + done.stderr


def test_a_replayed_letter_is_applied(shop: RunningShop) -> None:
    envelope = buried(shop)
    assert f"stock     {envelope.id}  {envelope.type}" in listed(shop)
    assert settle(shop, "replay", envelope.id)[0] == 0
    eventually(lambda: applied(shop, envelope), True)
    assert envelope.id not in listed(shop)


def test_a_discarded_letter_is_gone(shop: RunningShop) -> None:
    envelope = buried(shop)
    assert settle(shop, "discard", envelope.id) == (0, f"{envelope.id} is discarded\n")
    assert envelope.id not in listed(shop)
    assert not applied(shop, envelope)


def test_what_is_no_event_cannot_be_replayed(shop: RunningShop) -> None:
    envelope = buried(shop, body=b"\xff")
    status, told = settle(shop, "replay", envelope.id)
    assert (status, "discard it" in told) == (1, True)
    assert settle(shop, "discard", envelope.id)[0] == 0


def test_a_letter_that_is_not_there_is_told(shop: RunningShop) -> None:
    assert settle(shop, "replay", "nothing") == (1, "ecshop: there is no dead letter nothing\n")


def applied(shop: RunningShop, envelope: Envelope) -> bool:
    with closing(sqlite3.connect(f"file:{shop.folder}/stock.db?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT 1 FROM inbox WHERE event_id = ?", (envelope.id,)).fetchone()
    return found is not None

"""Dead letters as an operator meets them: beside a running shop, in one process and as services."""

from __future__ import annotations

import subprocess
from uuid import UUID

from sqlalchemy import select

from ecshop.events.catalog import OrderCancelled
from ecshop.events.dead_letters import keep
from ecshop.events.envelope import AnyEnvelope, to_bytes
from ecshop.events.tables import DeadLetter, Inbox
from ecshop.kernel.clock import now
from entrypoints.operations.shop_data import beside_the_shop
from tests.events import seal
from tests.flows.test_commands import ecshop
from tests.shops import RunningShop
from tests.waiting import eventually


def buried(shop: RunningShop, body: bytes = b"") -> AnyEnvelope:
    """A letter of a cancelled order in stock's table, as the consumer would have left it."""
    order = shop.order(shop.new_product(stock=1), 1).json()["id"]
    shop.call("POST", f"/orders/{order}/cancel", shop.customer).raise_for_status()
    envelope = seal(OrderCancelled(UUID(order), 2))
    letter = DeadLetter(
        consumer="stock",
        event_id=envelope.id,
        type="" if body else envelope.type,
        body=body or to_bytes(envelope),
        error="RuntimeError: no",
        attempts=6,
        failed_at=now(),
    )
    beside_the_shop(shop.settings, "stock", lambda session: keep(session, letter))
    return envelope


def dlq(shop: RunningShop, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = {"ECSHOP_DATABASE_URL": shop.settings.database_url}
    return ecshop("dlq", *arguments, "--data-dir", str(shop.folder), **where)


def listed(shop: RunningShop) -> str:
    return dlq(shop, "list").stdout


def settle(shop: RunningShop, verdict: str, event_id: str) -> tuple[int, str]:
    done = dlq(shop, verdict, "stock", event_id)
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


def applied(shop: RunningShop, envelope: AnyEnvelope) -> bool:
    query = select(Inbox).where(Inbox.event_id == envelope.id)
    return beside_the_shop(shop.settings, "stock", lambda session: session.scalar(query)) is not None

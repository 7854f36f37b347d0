"""The order protocol holds under random sequences, and each of its mends is needed: without it a sequence fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from uuid import UUID, uuid5

import pytest
import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session
from uuid_utils import uuid7

from ecshop.events import consumer, outbox, relay
from ecshop.events.catalog import ProductDeleted
from ecshop.events.envelope import AnyEnvelope
from ecshop.events.outbox import Postponed, Taken
from ecshop.kernel.db.columns import table_of
from ecshop.order import records
from ecshop.order.contract import Order
from ecshop.order.service import Asked, OrderService
from ecshop.product import availability
from ecshop.product.models import ProductRow
from ecshop.stock import items, module, reservations
from ecshop.stock.models import ItemRow, ReservationRow
from tests.unit.protocol_machine import Delays, Goods, Haste, Losses, ProtocolMachine

Patch = pytest.MonkeyPatch
Mend = Callable[[Patch], None]

INTACT: Final = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
FINDING: Final = settings(
    INTACT, max_examples=1000, stateful_step_count=40, phases=[Phase.generate], report_multiple_bugs=False
)
"""To find a counterexample is enough: to make it short takes minutes."""
SEED: Final = 4
"""With which each is found soon."""


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def done_is_what_a_broker_has_taken(patch: Patch) -> None:
    def settle(session: Session, heard: Sequence[int], taken: Sequence[Taken], postponed: Sequence[Postponed]) -> None:
        outbox.settle(session, [*heard, *(one.seq for one in taken)], (), postponed)

    patch.setattr(relay, "settle", settle)


def a_fact_that_is_told_again_has_a_new_id(patch: Patch) -> None:
    patch.setattr(outbox, "id_of", lambda event: str(uuid7()))


def a_listener_applies_what_it_is_given(patch: Patch) -> None:
    def once(session: Session, name: str, envelopes: Sequence[AnyEnvelope]) -> list[AnyEnvelope]:
        return list({one.id: one for one in envelopes}.values())

    patch.setattr(consumer, "once", once)


def an_item_goes_away_with_its_product(patch: Patch) -> None:
    def forget(session: Session, events: Sequence[ProductDeleted]) -> list[str]:
        for event in events:
            if row := session.get(ItemRow, event.product_id):
                session.delete(row)
        return ["deleted"] * len(events)

    subscriptions = dict(module.SUBSCRIPTIONS)
    subscriptions[ProductDeleted] = forget
    patch.setattr(module, "SUBSCRIPTIONS", subscriptions)


def an_item_that_is_registered_again_counts_from_1(patch: Patch) -> None:
    def move_units(session: Session, row: ItemRow, delta: int, reason: str, actor: UUID | None) -> None:
        row.version = 0 if reason == items.REGISTERED else row.version
        move(session, row, delta, reason, actor)

    move = items._move_units
    patch.setattr(items, "_move_units", move_units)


def product_believes_the_last_news(patch: Patch) -> None:
    columns = table_of(ProductRow).c
    note = update(table_of(ProductRow)).where(columns.id == bindparam("product"))
    as_told = note.values(in_stock=bindparam("stocked"), stock_version=bindparam("version"))
    patch.setattr(availability, "_NOTE", as_told)


def attempts_share_no_hold(patch: Patch) -> None:
    columns = table_of(ReservationRow).c
    leave = update(table_of(ReservationRow)).where(columns.order_id == bindparam("order"))
    patch.setattr(reservations, "_SHARE", leave.values(attempt=columns.attempt))


def a_withdrawn_attempt_holds_again(patch: Patch) -> None:
    patch.setattr(reservations, "_may_hold_again", lambda one, earlier: earlier.state == reservations.WITHDRAWN)


def a_key_makes_the_same_id_for_ever(patch: Patch) -> None:
    async def place_once(self: OrderService, asked: Asked, key: str) -> Order:
        attempt = records.Attempt(uuid5(UUID(int=0), f"{asked.actor.user_id} {key}"), str(asked.new).encode())
        earlier = await self._db.read_many(records.find_repeated, attempt)
        return earlier or await self._place(attempt.order_id, asked, attempt.fingerprint)

    patch.setattr(OrderService, "_place_once", place_once)


MACHINES: Final = (ProtocolMachine, Haste, Delays, Goods, Losses)
MENDS: Final[dict[Mend, type[ProtocolMachine]]] = {
    done_is_what_a_broker_has_taken: Losses,
    a_fact_that_is_told_again_has_a_new_id: Delays,
    a_listener_applies_what_it_is_given: Losses,
    an_item_goes_away_with_its_product: Goods,
    an_item_that_is_registered_again_counts_from_1: Goods,
    product_believes_the_last_news: Goods,
    attempts_share_no_hold: Haste,
    a_withdrawn_attempt_holds_again: Haste,
    a_key_makes_the_same_id_for_ever: Delays,
}


@pytest.mark.parametrize("machine", MACHINES, ids=["all", "haste", "delays", "goods", "losses"])
def test_the_books_agree_after_any_sequence(machine: type[ProtocolMachine]) -> None:
    run_state_machine_as_test(machine, settings=INTACT)


@pytest.mark.parametrize("take_out", MENDS, ids=lambda mend: mend.__name__)
def test_without_a_mend_some_sequence_fails(take_out: Mend, monkeypatch: Patch) -> None:
    take_out(monkeypatch)
    machine = seed(SEED)(type("Searching", (MENDS[take_out],), {}))  # a seed stays with its class
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=FINDING)

"""Orders that stall: stock asks what became of them, and only the answer of order releases anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import OrderCancelled, OrderConfirmed, ReservationExpired
from ecshop.events.outbox import record
from ecshop.events.tables import Outbox
from ecshop.kernel.clock import now
from ecshop.order import records
from ecshop.order.contract import Cancellation, OrderExpired, OrderFilter
from ecshop.order.models import OrderRow
from ecshop.stock.contract import Line, ReservationReleased
from tests.databases import Databases, for_a_shop
from tests.events import recorded
from tests.flows.house import BUYER, PATIENCE, STAFF, House, Stalling, five_of

pytestmark = pytest.mark.anyio

SOON = timedelta(seconds=20)


@pytest.fixture
async def house(tmp_path: Path, databases: Databases) -> AsyncIterator[House]:
    house = House(tmp_path, database_url=for_a_shop(databases, migrated=True), quote_seconds=60)
    async with house.shop.running():
        yield house


async def test_units_that_were_reserved_but_never_recorded_come_free(house: House) -> None:
    product, order = await house.stocked(), uuid4()
    await house.stock.reserve(order, [Line(product, 5)])
    await house.time_runs_out()
    await house.is_released(product)
    with pytest.raises(ReservationReleased):
        await house.stock.reserve(order, [Line(product, 5)])
    assert (await house.stock.get(product)).available == 5


async def test_an_order_that_stalls_past_its_time_is_refused(house: House) -> None:
    product = await house.stocked()
    stalling = Stalling(house.stock)
    placing = asyncio.create_task(house.order_service(stalling).place(BUYER, five_of(product), "key"))
    await stalling.reserved.wait()
    await house.time_runs_out()
    await house.is_released(product)
    stalling.go_on.set()
    with pytest.raises(OrderExpired):
        await placing
    again = await house.order_service(house.stock).place(BUYER, five_of(product), "key")
    assert again.status == "confirmed"
    assert await house.order_service(house.stock).place(BUYER, five_of(product), "key") == again


async def test_a_buyers_repeat_completes_an_order_that_was_reserved_and_not_recorded(house: House) -> None:
    product = await house.stocked()
    stalling = Stalling(house.stock)
    placing = asyncio.create_task(house.order_service(stalling).place(BUYER, five_of(product), "key"))
    await stalling.reserved.wait()
    placing.cancel()
    again = await house.order_service(house.stock).place(BUYER, five_of(product), "key")
    assert again.status == "confirmed"
    await house.is_released(product)
    assert (await house.stock.get(product)).stock == 0


async def test_nothing_is_asked_while_the_last_question_is_on_its_way(house: House) -> None:
    """As when the broker is away: else each minute would bring another question about the same order."""
    product = await house.stocked()
    await house.stock.reserve(uuid4(), [Line(product, 5)])
    stock = house.database("stock")

    def ask(session: Session) -> None:
        record(session, [ReservationExpired(uuid4())])
        session.execute(update(Outbox).values(attempts=1, due_at=now() + SOON))

    await stock.write(ask)
    await house.has_nothing_to_ask()
    await stock.write(lambda session: session.execute(update(Outbox).values(published_at=now(), heard_at=now())))
    await house.time_runs_out()
    await house.is_released(product)


@pytest.mark.parametrize("jump", [timedelta(days=365), timedelta(hours=-2)], ids=["a year ahead", "two hours back"])
async def test_a_hold_that_was_dated_by_a_wrong_clock_is_asked_about(house: House, jump: timedelta) -> None:
    product = await house.stocked()
    house.later = -jump.total_seconds() if jump < timedelta() else jump.total_seconds()
    await house.stock.reserve(uuid4(), [Line(product, 5)])
    house.later = 0
    assert await house.stock.ask_about_expired() == 1
    await house.is_released(product)


async def test_a_confirmation_that_is_asked_for_again_is_the_same_event(house: House) -> None:
    product = await house.stocked()
    placed = await house.order_service(house.stock).place(BUYER, five_of(product), "key")
    order = house.database("order")
    for _ in range(3):
        await order.write(records.give_up, [ReservationExpired(placed.id)])

    def told(session: Session) -> list[str]:
        return list(session.scalars(select(Outbox.event_id).where(Outbox.type == OrderConfirmed.type)))

    ids = await order.read(told)
    assert (len(ids), len(set(ids))) == (4, 1)


async def test_a_cancellation_that_is_asked_for_again_is_the_same_event(house: House) -> None:
    order_id = uuid4()
    order = house.database("order")
    for _ in range(3):
        await order.write(records.give_up, [ReservationExpired(order_id)])

    def told(session: Session) -> list[str]:
        return list(session.scalars(select(Outbox.event_id).where(Outbox.type == OrderCancelled.type)))

    ids = await order.read(told)
    assert (len(ids), len(set(ids))) == (3, 1)


async def test_a_cancellation_that_is_asked_for_again_still_restocks_nothing(house: House) -> None:
    product = await house.stocked()
    service = house.order_service(house.stock)
    placed = await service.place(BUYER, five_of(product), "key")
    await service.cancel(STAFF, placed.id, Cancellation(restock=False))
    order = house.database("order")
    await order.write(records.give_up, [ReservationExpired(placed.id)])

    events = [event for event in await order.read(recorded) if event.type == OrderCancelled.type]
    assert [isinstance(event, OrderCancelled) and event.restock for event in events] == [False, False]


async def test_an_order_that_was_given_up_is_cancelled_by_the_shop_and_in_no_list(house: House) -> None:
    order_id = uuid4()
    order = house.database("order")
    await order.write(records.give_up, [ReservationExpired(order_id)])

    def canceller(session: Session) -> str | None:
        return session.get_one(OrderRow, order_id).cancelled_by

    assert await order.read(canceller) == "shop"
    assert (await order.read(records.list_orders, STAFF, OrderFilter(), None, 100)).items == ()


async def test_nothing_is_released_by_the_clock_alone(house: House) -> None:
    """Order's answer is what releases: here its events find no one, since nobody asked."""
    product = await house.stocked()
    await house.stock.reserve(uuid4(), [Line(product, 5)])
    house.later += 10 * PATIENCE
    assert (await house.stock.get(product)).reserved == 5

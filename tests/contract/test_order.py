"""Whatever claims to be an `OrderClient` must pass this file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ecshop.kernel.conditions import IdempotencyKeyReused
from ecshop.kernel.errors import Forbidden
from ecshop.kernel.identity import Role
from ecshop.order.contract import (
    Cancellation,
    MixedCurrencies,
    NewOrder,
    OrderClient,
    OrderFilter,
    OrderLine,
    OrderNotFound,
    WantedLine,
)
from ecshop.product.contract import ProductChange, ProductDiscontinued, ProductNotFound
from ecshop.stock.contract import InsufficientStock
from tests.actors import STAFF
from tests.contract.conftest import Doors

pytestmark = pytest.mark.anyio


def of(*products: int, quantity: int = 1) -> NewOrder:
    return NewOrder(tuple(WantedLine(product, quantity) for product in products))


async def test_it_satisfies_the_protocol(doors: Doors) -> None:
    assert isinstance(doors.order, OrderClient)


async def test_a_placed_order_is_found_again(doors: Doors) -> None:
    product, buyer = await doors.stocked(5), doors.actor()
    order = await doors.order.place(buyer, of(product, quantity=2))
    assert (order.status, order.user_id, order.total, order.currency) == ("confirmed", buyer.user_id, 2400, "JPY")
    assert order.lines == (OrderLine(product, "Green tea", 2, 1200, 2400),)
    assert await doors.order.get(buyer, order.id) == order


async def test_orders_are_listed_newest_first_a_customers_own_alone(doors: Doors) -> None:
    product, buyer = await doors.stocked(5), doors.actor()
    placed = [await doors.order.place(buyer, of(product)) for _ in range(3)]
    await doors.order.place(doors.actor(), of(product))
    first = await doors.order.list(buyer, OrderFilter(product_id=product), None, 2)
    last = await doors.order.list(buyer, OrderFilter(product_id=product), first.next_cursor, 2)
    assert [*first.items, *last.items] == placed[::-1]
    assert last.next_cursor is None
    assert (await doors.order.list(buyer, OrderFilter(status="cancelled"), None, 2)).items == ()


async def test_the_same_key_places_the_same_order_once(doors: Doors) -> None:
    product, buyer = await doors.stocked(5), doors.actor()
    orders = await asyncio.gather(*(doors.order.place(buyer, of(product), "key") for _ in range(20)))
    assert len({order.id for order in orders}) == 1
    assert await doors.order.place(buyer, of(product), "key") == orders[0]
    assert (await doors.stock.get(product)).reserved == 1


async def test_the_same_key_with_another_order_is_refused(doors: Doors) -> None:
    product, buyer = await doors.stocked(5), doors.actor()
    await doors.order.place(buyer, of(product), "key")
    with pytest.raises(IdempotencyKeyReused):
        await doors.order.place(buyer, of(product, quantity=2), "key")


async def test_refusals_of_the_neighbours_reach_the_buyer(doors: Doors) -> None:
    scarce, gone = await doors.stocked(1), await doors.stocked(1)
    await doors.catalogue.change(STAFF, gone, ProductChange(on_sale=False))
    with pytest.raises(InsufficientStock) as short:
        await doors.order.place(doors.actor(), of(scarce, quantity=2))
    assert short.value.fields == {"lines": [{"product_id": scarce, "quantity": 2, "available": 1}]}
    with pytest.raises(ProductDiscontinued) as off_sale:
        await doors.order.place(doors.actor(), of(gone))
    assert off_sale.value.fields == {"product_id": gone, "reason": "off_sale"}
    with pytest.raises(ProductNotFound) as unknown:
        await doors.order.place(doors.actor(), of(10**9))
    assert unknown.value.fields == {"product_ids": [10**9]}


async def test_one_order_has_one_currency(doors: Doors) -> None:
    yen, euro = await doors.stocked(1), await doors.stocked(1, currency="EUR")
    with pytest.raises(MixedCurrencies) as refusal:
        await doors.order.place(doors.actor(), of(yen, euro))
    assert refusal.value.fields == {"currencies": ["EUR", "JPY"]}


async def test_a_foreign_order_is_not_found_but_staff_finds_it(doors: Doors) -> None:
    order = await doors.order.place(doors.actor(), of(await doors.stocked(5)))
    for look in (doors.order.get, doors.order.cancel):
        with pytest.raises(OrderNotFound):
            await look(doors.actor(), order.id)
    assert await doors.order.get(doors.actor(Role.STAFF), order.id) == order


async def test_an_unknown_order_is_not_found(doors: Doors) -> None:
    with pytest.raises(OrderNotFound):
        await doors.order.get(doors.actor(), uuid4())


async def test_cancelling_twice_is_cancelling_once(doors: Doors) -> None:
    buyer = doors.actor()
    order = await doors.order.place(buyer, of(await doors.stocked(5)))
    first = await doors.order.cancel(buyer, order.id)
    assert first.status == "cancelled"
    assert await doors.order.cancel(buyer, order.id) == first


async def test_an_order_is_cancelled_with_a_reason_by_whoever_cancels_it(doors: Doors) -> None:
    buyer, product = doors.actor(), await doors.stocked(5)
    for actor, who in ((buyer, "customer"), (doors.actor(Role.STAFF), "staff")):
        order = await doors.order.place(buyer, of(product))
        assert (order.cancelled_by, order.reason, order.updated_at) == (None, None, order.placed_at)
        cancelled = await doors.order.cancel(actor, order.id, Cancellation("ordered twice"))
        assert (cancelled.cancelled_by, cancelled.reason) == (who, "ordered twice")
        assert order.updated_at < cancelled.updated_at == cancelled.cancelled_at
        assert await doors.order.cancel(actor, order.id, Cancellation("no tea")) == cancelled
        assert await doors.order.get(buyer, order.id) == cancelled


async def test_only_staff_may_say_that_units_do_not_come_back(doors: Doors) -> None:
    buyer, lost = doors.actor(), Cancellation(restock=False)
    order = await doors.order.place(buyer, of(await doors.stocked(5)))
    with pytest.raises(Forbidden):
        await doors.order.cancel(buyer, order.id, lost)
    assert await doors.order.get(buyer, order.id) == order
    cancelled = await doors.order.cancel(doors.actor(Role.STAFF), order.id, lost)
    assert (cancelled.status, cancelled.reason) == ("cancelled", None)


async def test_who_knows_the_ids_is_told_how_orders_stand(doors: Doors) -> None:
    product, buyer, other = await doors.stocked(5), doors.actor(), doors.actor()
    placed, cancelled = [(await doors.order.place(buyer, of(product))).id for _ in range(2)]
    await doors.order.cancel(buyer, cancelled)
    told = await doors.order.statuses(other, [placed, cancelled, uuid4()])
    assert told == {placed: "confirmed", cancelled: "cancelled"}
    assert await doors.order.statuses(other, []) == {}


async def test_its_timeline_tells_what_was_done_when_and_who_ended_it(doors: Doors) -> None:
    product, buyer, staff = await doors.stocked(5), doors.actor(), doors.actor(Role.STAFF)
    order = await doors.order.place(buyer, of(product))
    told = await doors.order.timeline(staff, order.id)
    assert told.order == order
    assert told.began_at <= told.quoted_at <= told.reserved_at <= told.recorded_at
    assert told.quoted_at == order.placed_at
    assert (told.ended_by, told.ended_event) == (None, None)
    await doors.order.fulfil(staff, order.id)
    told = await doors.order.timeline(staff, order.id)
    assert told.ended_by == staff.user_id
    assert told.ended_event not in (None, told.confirmed_event)


async def test_its_pace_counts_the_orders_of_each_minute_and_how_long_the_newest_took(doors: Doors) -> None:
    product, buyer, staff = await doors.stocked(5), doors.actor(), doors.actor(Role.STAFF)
    since = datetime.now(UTC) - timedelta(seconds=90)
    before = await doors.order.pace(staff, since, 2)
    placed = [(await doors.order.place(buyer, of(product))).id for _ in range(3)]
    await doors.order.cancel(buyer, placed[0])
    await doors.order.fulfil(staff, placed[1])
    pace = await doors.order.pace(staff, since, 2)
    assert pace.placed == (before.placed[0], before.placed[1] + 3)
    for spread in (pace.quoted, pace.reserved, pace.recorded, pace.whole):
        assert spread is not None
        assert 0 <= spread.p50 <= spread.p99 < 60_000
    assert (await doors.order.pace(staff, since - timedelta(days=9), 2)).placed == (0, 0)
    with pytest.raises(Forbidden):
        await doors.order.pace(buyer, since, 2)


async def test_only_staff_fulfils_and_sees_a_timeline(doors: Doors) -> None:
    product, buyer = await doors.stocked(5), doors.actor()
    order = await doors.order.place(buyer, of(product))
    for call in (doors.order.timeline(buyer, order.id), doors.order.fulfil(buyer, order.id)):
        with pytest.raises(Forbidden):
            await call
    with pytest.raises(OrderNotFound):
        await doors.order.timeline(doors.actor(Role.STAFF), uuid4())

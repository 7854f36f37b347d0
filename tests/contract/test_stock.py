"""Whatever claims to be a `StockClient` must pass this file."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import uuid4

import pytest
from sqlalchemy import select

from ecshop.events.catalog import OrderCancelled, OrderConfirmed, OrderedUnits, StockDepleted
from ecshop.events.tables import Outbox
from ecshop.kernel.errors import Forbidden, InvalidRequest
from ecshop.kernel.identity import Role
from ecshop.stock import settlement
from ecshop.stock.contract import (
    LOW,
    Adjustment,
    InsufficientStock,
    Line,
    NewStock,
    Reservation,
    ReservationConflict,
    ReservationNotFound,
    ReservationReleased,
    ReservationStatus,
    StaffStockClient,
    StockExists,
    StockFilter,
    StockItem,
    StockLevel,
    StockNotFound,
    StockReserved,
)
from tests.contract.conftest import Doors

pytestmark = pytest.mark.anyio


async def test_it_satisfies_the_protocol(doors: Doors) -> None:
    assert isinstance(doors.stock, StaffStockClient)


async def test_what_is_reserved_is_on_hand_but_not_available(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    before = await doors.stock.get(product)
    assert await doors.stock.reserve(order, [Line(product, 2)]) == Reservation(order, (Line(product, 2),))
    item = await doors.stock.get(product)
    assert item == StockItem(product, True, True, 5, 2, 3, 2, item.updated_at, LOW)
    assert isinstance(item.updated_at, datetime)
    assert isinstance(before.updated_at, datetime)
    assert item.updated_at > before.updated_at


async def test_whoever_knows_an_order_learns_what_became_of_its_units(doors: Doors) -> None:
    product, order, buyer = await doors.stocked(5), uuid4(), doors.actor()
    with pytest.raises(ReservationNotFound):
        await doors.stock.reservation(buyer, order)
    await doors.stock.reserve(order, [Line(product, 2)], attempt=1)
    assert await doors.stock.reservation(buyer, order) == ReservationStatus(order, "held")
    await doors.stock.withdraw(order, 1)
    assert await doors.stock.reservation(buyer, order) == ReservationStatus(order, "withdrawn")


async def test_many_products_are_looked_up_at_once_and_those_without_stock_left_out(doors: Doors) -> None:
    tea, pot = await doors.stocked(5), await doors.stocked(0)
    found = await doors.stock.get_many([pot, 7_000, tea, tea])
    assert [(item.product_id, item.available) for item in found] == [(tea, 5), (pot, 0)]


async def test_a_product_without_stock_is_not_found(doors: Doors) -> None:
    with pytest.raises(StockNotFound):
        await doors.stock.get(7_000)


async def test_a_repeat_of_the_same_order_holds_once(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    first = await doors.stock.reserve(order, [Line(product, 3)])
    assert await doors.stock.reserve(order, [Line(product, 3)]) == first
    assert (await doors.stock.get(product)).reserved == 3


async def test_repeats_that_come_together_hold_once(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    repeats = await asyncio.gather(*(doors.stock.reserve(order, [Line(product, 3)]) for _ in range(20)))
    assert repeats == [Reservation(order, (Line(product, 3),))] * 20
    assert (await doors.stock.get(product)).reserved == 3


async def test_the_same_order_with_other_lines_is_a_conflict(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    await doors.stock.reserve(order, [Line(product, 3)])
    with pytest.raises(ReservationConflict):
        await doors.stock.reserve(order, [Line(product, 2)])


async def test_too_much_is_refused_with_what_is_left(doors: Doors) -> None:
    product = await doors.stocked(50)
    await doors.stock.reserve(uuid4(), [Line(product, 20)])
    with pytest.raises(InsufficientStock) as refusal:
        await doors.stock.reserve(uuid4(), [Line(product, 31)])
    assert refusal.value.fields == {"lines": [{"product_id": product, "quantity": 31, "available": 30}]}


async def test_all_lines_are_held_or_none(doors: Doors) -> None:
    tea, pot = await doors.stocked(5), await doors.stocked(1)
    with pytest.raises(InsufficientStock):
        await doors.stock.reserve(uuid4(), [Line(tea, 1), Line(pot, 2)])
    assert (await doors.stock.get(tea)).reserved == 0


async def test_an_order_that_was_cancelled_before_it_reserved_is_refused(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    await doors.databases["stock"].write(settlement.release, [OrderCancelled(order, 1)])
    with pytest.raises(ReservationReleased):
        await doors.stock.reserve(order, [Line(product, 1)])
    assert (await doors.stock.get(product)).reserved == 0


@pytest.mark.parametrize("units", [(), (1, 1)])
async def test_a_reservation_names_each_product_once(doors: Doors, units: tuple[int, ...]) -> None:
    product = await doors.stocked(5)
    with pytest.raises(InvalidRequest):
        await doors.stock.reserve(uuid4(), [Line(product, quantity) for quantity in units])


async def test_five_hundred_buyers_share_fifty_units(doors: Doors) -> None:
    product = await doors.stocked(50)
    outcomes = await asyncio.gather(
        *(doors.stock.reserve(uuid4(), [Line(product, 1)]) for _ in range(500)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Reservation) for outcome in outcomes) == 50
    assert sum(isinstance(outcome, InsufficientStock) for outcome in outcomes) == 450
    assert (await doors.stock.get(product)).available == 0


async def test_what_an_attempt_holds_can_be_withdrawn_and_held_again_by_another_one(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    await doors.stock.reserve(order, [Line(product, 5)], 1)
    await doors.stock.withdraw(order, 1)
    assert (await doors.stock.get(product)).available == 5
    with pytest.raises(ReservationReleased):
        await doors.stock.reserve(order, [Line(product, 5)], 1)
    await doors.stock.reserve(order, [Line(product, 3)], 2)
    assert (await doors.stock.get(product)).available == 2


async def test_what_was_withdrawn_before_it_was_reserved_is_never_held(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    await doors.stock.withdraw(order, 1)
    with pytest.raises(ReservationReleased):
        await doors.stock.reserve(order, [Line(product, 5)], 1)
    assert (await doors.stock.get(product)).available == 5


async def test_what_attempts_share_none_of_them_can_withdraw(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    await doors.stock.reserve(order, [Line(product, 5)], 1)
    await doors.stock.reserve(order, [Line(product, 5)], 2)
    for attempt in (1, 2, 3):
        await doors.stock.withdraw(order, attempt)
    assert (await doors.stock.get(product)).reserved == 5


async def test_a_repeat_by_the_same_attempt_shares_with_nobody(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    for _ in range(2):
        await doors.stock.reserve(order, [Line(product, 5)], 1)
    await doors.stock.withdraw(order, 1)
    assert (await doors.stock.get(product)).reserved == 0


async def test_what_was_committed_cannot_be_withdrawn(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    await doors.stock.reserve(order, [Line(product, 5)], 1)
    confirmed = OrderConfirmed(order, 1, uuid4(), (OrderedUnits(product, 5),), 0, "JPY")
    await doors.databases["stock"].write(settlement.commit, [confirmed])
    await doors.stock.withdraw(order, 1)
    assert (await doors.stock.get(product)).stock == 0


async def test_a_reservation_tells_when_its_units_left_and_what_it_sold_out(doors: Doors) -> None:
    last, other, order = await doors.stocked(5), await doors.stocked(6), uuid4()
    await doors.stock.reserve(order, [Line(last, 5), Line(other, 5)], 1)
    units = (OrderedUnits(last, 5), OrderedUnits(other, 5))
    confirmed = OrderConfirmed(order, 1, uuid4(), units, 0, "JPY")
    await doors.databases["stock"].write(settlement.commit, [confirmed])
    told = await doors.stock.reservation(doors.actor(), order)
    assert (told.state, told.ended_at) == ("committed", None)
    assert told.committed_at is not None
    [gone] = told.sold_out
    query = select(Outbox.event_id).where(Outbox.event_id == str(gone.event_id), Outbox.type == StockDepleted.type)
    assert gone.product_id == last
    assert await doors.databases["stock"].read(lambda session: session.scalar(query)) == str(gone.event_id)


async def test_a_reservation_tells_when_its_units_came_back(doors: Doors) -> None:
    product, order = await doors.stocked(5), uuid4()
    await doors.stock.reserve(order, [Line(product, 5)], 1)
    await doors.databases["stock"].write(settlement.release, [OrderCancelled(order, 2)])
    told = await doors.stock.reservation(doors.actor(), order)
    assert (told.state, told.committed_at, told.sold_out) == ("released", None, ())
    assert told.ended_at is not None


async def test_staff_counts_and_adjusts_and_the_ledger_tells_of_it(doors: Doors) -> None:
    product, staff = await doors.stocked(5), doors.actor(Role.STAFF)
    assert (await doors.stock.adjust(staff, product, Adjustment(-2, "broken"))).stock == 3
    assert (await doors.stock.set_level(staff, product, StockLevel(9))).stock == 9
    ledger = await doors.stock.movements(staff, product, None, 2)
    assert [(one.delta, one.on_hand) for one in ledger.items] == [(6, 9), (-2, 3)]
    rest = await doors.stock.movements(staff, product, ledger.next_cursor, 2)
    assert [(one.delta, one.on_hand) for one in rest.items] == [(5, 5)]
    with pytest.raises(StockExists):
        await doors.stock.register(staff, NewStock(product, 1))
    with pytest.raises(StockReserved):
        await doors.stock.adjust(staff, product, Adjustment(-10, "broken"))


async def test_each_product_has_a_mark_from_which_on_its_stock_is_low(doors: Doors) -> None:
    product, staff = await doors.stocked(9), doors.actor(Role.STAFF)
    assert not (await doors.stock.get(product)).low_stock
    marked = await doors.stock.set_level(staff, product, StockLevel(low_mark=9))
    assert (marked.stock, marked.low_mark, marked.low_stock) == (9, 9, True)
    counted = await doors.stock.set_level(staff, product, StockLevel(20))
    assert (counted.low_mark, counted.low_stock) == (9, False)
    assert (await doors.stock.set_level(staff, product, StockLevel(8, 7))).low_stock is False
    await doors.stock.reserve(uuid4(), [Line(product, 1)])
    assert (await doors.stock.get(product)).low_stock is True


async def test_low_stock_is_listed_alone(doors: Doors) -> None:
    staff = doors.actor(Role.STAFF)
    few, many = await doors.stocked(LOW), await doors.stocked(LOW + 1)
    found, cursor = list[int](), None
    while True:
        page = await doors.stock.list(staff, StockFilter(low=True), cursor, 2)
        found += [item.product_id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert (few in found, many in found, found) == (True, False, sorted(found))


async def test_customers_change_no_stock(doors: Doors) -> None:
    product, buyer = await doors.stocked(5), doors.actor()
    for call in (
        doors.stock.adjust(buyer, product, Adjustment(1, "mine")),
        doors.stock.set_level(buyer, product, StockLevel(9)),
        doors.stock.register(buyer, NewStock(product, 1)),
        doors.stock.movements(buyer, product, None, 1),
    ):
        with pytest.raises(Forbidden):
            await call

"""The shop's own failures: they hold nobody's units, and a key under which nothing came to be can be used again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from ecshop.kernel.db import engine as engines
from ecshop.kernel.deadline import Deadline, deadline
from ecshop.kernel.errors import Aborted, EcshopError, Unavailable
from ecshop.order.contract import NewOrder, PriceChanged, WantedLine
from ecshop.product.contract import ProductChange, ProductDiscontinued, ProductNotFound
from ecshop.stock.contract import Line, Reservation, ReservationReleased
from tests.flows.house import BUYER, STAFF, House, Stalling, five_of
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """Its databases wait for a lock no longer than 0.2 s, its quotes do not hold."""
    monkeypatch.setattr(engines, "_BUSY_TIMEOUT", 200)
    house = House(tmp_path, quote_seconds=0)
    async with house.shop.running():
        yield house


@contextmanager
def locked(house: House, context: str) -> Iterator[None]:
    with closing(sqlite3.connect(str(house.database(context).url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


class Silent(Stalling):
    """It does what it was asked, and its answers get lost."""

    async def reserve(self, order_id: UUID, lines: Sequence[Line], attempt: int = 0) -> Reservation:
        await self._stock.reserve(order_id, lines, attempt)
        raise Unavailable("stock does not answer")


class Late(Stalling):
    """What it was asked is done when nobody waits for it any more."""

    async def reserve(self, order_id: UUID, lines: Sequence[Line], attempt: int = 0) -> Reservation:
        self.late = (order_id, lines, attempt)
        raise Unavailable("stock does not answer")


async def test_what_cannot_be_recorded_is_given_back_at_once_and_its_key_is_as_good_as_new(house: House) -> None:
    product = await house.stocked()
    with locked(house, "order"):
        with pytest.raises(Aborted, match="repeat the order with the same Idempotency-Key"):
            await house.shop.clients.order.place(BUYER, five_of(product), "key")
        await house.is_released(product)
        with pytest.raises(Aborted, match="send an Idempotency-Key"):
            await house.shop.clients.order.place(BUYER, five_of(product))
        await house.is_released(product)

    async def is_placed() -> bool:
        try:
            placed = await house.shop.clients.order.place(BUYER, five_of(product), "key")
        except Aborted:
            return False
        return placed.status == "confirmed"

    await eventually_async(is_placed, True)


async def test_what_stock_held_without_an_answer_is_given_back(house: House) -> None:
    product = await house.stocked()
    apart = house.order_service(Silent(house.stock))
    giving_back = asyncio.create_task(apart.give_back())
    with pytest.raises(Unavailable):
        await apart.place(BUYER, five_of(product), "key")
    await house.is_released(product)
    assert (await house.shop.clients.order.place(BUYER, five_of(product), "key")).status == "confirmed"
    giving_back.cancel()


async def test_a_reserve_that_comes_after_it_was_given_up_holds_nothing(house: House) -> None:
    product = await house.stocked()
    late = Late(house.stock)
    apart = house.order_service(late)
    giving_back = asyncio.create_task(apart.give_back())
    with pytest.raises(Unavailable):
        await apart.place(BUYER, five_of(product), "key")

    async def is_refused() -> bool:
        try:
            await house.stock.reserve(*late.late)
        except ReservationReleased:
            return True
        return False

    await eventually_async(is_refused, True)
    await house.is_released(product)
    assert (await house.shop.clients.order.place(BUYER, five_of(product), "key")).status == "confirmed"
    giving_back.cancel()


async def test_a_buyer_who_leaves_between_hold_and_record_holds_nothing(house: House) -> None:
    product, until = await house.stocked(), Deadline(60)
    stalling = Stalling(house.stock)
    apart = house.order_service(stalling)
    giving_back = asyncio.create_task(apart.give_back())

    async def place() -> None:
        deadline.set(until)
        await apart.place(BUYER, five_of(product), "key")

    placing = asyncio.create_task(place())
    await stalling.reserved.wait()
    until.give_up()
    stalling.go_on.set()
    with pytest.raises(Aborted):
        await placing
    await house.is_released(product)
    giving_back.cancel()


async def test_of_a_record_that_may_have_been_written_order_decides_and_not_the_clock(house: House) -> None:
    """Its commit fails: the order is recorded or given up, and the units are sold or free, without a time-out."""
    product = await house.stocked()
    orders = house.database("order").engine

    def fail(connection: Connection) -> None:
        if connection.engine.url == orders.url:
            event.remove(Engine, "commit", fail)
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    stalling = Stalling(house.stock)
    apart = house.order_service(stalling)
    giving_back = asyncio.create_task(apart.give_back())
    placing = asyncio.create_task(apart.place(BUYER, five_of(product), "key"))
    await stalling.reserved.wait()
    event.listen(Engine, "commit", fail)
    stalling.go_on.set()
    with pytest.raises(Unavailable):
        await placing
    await house.is_released(product)
    again = await house.shop.clients.order.place(BUYER, five_of(product), "key")
    assert again.status == "confirmed"
    giving_back.cancel()


@pytest.mark.parametrize(
    ("change", "expected", "error"),
    [
        (ProductChange(price=1500), 6000, PriceChanged),
        (ProductChange(on_sale=False), 6000, ProductDiscontinued),
        (None, 6000, ProductNotFound),
    ],
    ids=["dearer", "withdrawn", "deleted"],
)
async def test_a_price_that_is_too_old_is_asked_for_again_before_it_is_recorded(
    house: House, change: ProductChange | None, expected: int, error: type[EcshopError]
) -> None:
    product = await house.stocked()
    stalling = Stalling(house.stock)
    apart = house.order_service(stalling)
    giving_back = asyncio.create_task(apart.give_back())
    new = NewOrder((WantedLine(product, 5),), expected_total=expected)
    placing = asyncio.create_task(apart.place(BUYER, new))
    await stalling.reserved.wait()
    if change is None:
        await house.products.delete(STAFF, product)
    else:
        await house.products.change(STAFF, product, change)
    stalling.go_on.set()
    with pytest.raises(error):
        await placing
    if change is not None:
        await house.is_released(product)
    giving_back.cancel()


async def test_who_expected_no_price_pays_the_one_of_the_moment_of_the_record(house: House) -> None:
    product = await house.stocked()
    stalling = Stalling(house.stock)
    placing = asyncio.create_task(house.order_service(stalling).place(BUYER, five_of(product)))
    await stalling.reserved.wait()
    await house.products.change(STAFF, product, ProductChange(price=1500))
    stalling.go_on.set()
    assert (await placing).total == 5 * 1500

"""Whatever claims to be an `EventBus` must pass this file: an outbox on one side, an inbox on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from ecshop.events.buses.base import EventBus
from ecshop.events.buses.memory import MemoryBus
from ecshop.events.buses.redis import RedisBus
from ecshop.events.catalog import OrderCancelled, OrderFulfilled
from ecshop.events.consumer import Consumer, Handler
from ecshop.events.outbox import record
from ecshop.events.relay import Relay
from ecshop.events.tables import DeadLetter, Inbox, Outbox
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Unavailable
from ecshop.order.module import MIGRATIONS as TELLING
from ecshop.stock.module import MIGRATIONS as LISTENING
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio

BACKOFF = tuple(timedelta(milliseconds=ms) for ms in (10, 20, 40))


class Wire:
    """An order database that tells, a stock database that listens, and a bus between them."""

    def __init__(self, folder: Path, bus: Callable[[], EventBus]) -> None:
        self.order = Database(f"sqlite:///{folder}/order.db", synchronous="NORMAL")
        self.stock = Database(f"sqlite:///{folder}/stock.db", synchronous="NORMAL")
        self.bus, self.prefix = bus, _prefix_in(folder)
        self.heard: list[UUID] = []

    @asynccontextmanager
    async def listening(self, handler: Handler | None = None) -> AsyncIterator[None]:
        """Relay and deliver while the context lasts."""
        bus = self.bus()
        bus.connect(Consumer("stock", self.stock, {OrderCancelled: handler or self.hear}, BACKOFF))
        tasks = [asyncio.create_task(job()) for job in (bus.run, Relay("order", self.order, bus).run)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await bus.close()

    def hear(self, _: Session, events: Sequence[OrderCancelled]) -> list[str]:
        self.heard += [event.order_id for event in events]
        return ["heard"] * len(events)

    async def tell(self, *orders: UUID) -> None:
        await self.order.write(record, [OrderCancelled(order, 1) for order in orders])

    async def applied(self) -> int:
        return await self.stock.read(_count, Inbox)

    async def dead(self) -> int:
        return await self.stock.read(_count, DeadLetter)

    async def unpublished(self) -> int:
        return await self.order.read(_count, Outbox, Outbox.published_at.is_(None))


def _count(session: Session, table: type[Any], *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


@pytest.fixture(params=["memory", "redis"])
async def wire(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Wire]:
    def over_redis() -> EventBus:
        url = request.getfixturevalue("redis_url")
        return RedisBus(url, {"order": ["stock"]}, prefix=_prefix_in(tmp_path))

    wire = Wire(tmp_path, {"memory": MemoryBus, "redis": over_redis}[request.param])
    async with AsyncExitStack() as stack:
        for database, versions in ((wire.order, TELLING), (wire.stock, LISTENING)):
            stack.push_async_callback(database.close)
            database.open(versions)
        yield wire


async def test_what_is_recorded_is_applied(wire: Wire) -> None:
    orders = [uuid4() for _ in range(300)]
    async with wire.listening():
        await wire.tell(*orders)
        await eventually_async(wire.applied, 300)
        await eventually_async(wire.unpublished, 0)
    assert sorted(wire.heard) == sorted(orders)


async def test_what_is_told_while_nobody_listens_is_heard_later(wire: Wire) -> None:
    order = uuid4()
    await wire.tell(order)
    async with wire.listening():
        await eventually_async(wire.applied, 1)
    assert wire.heard == [order]


async def test_types_that_nobody_listens_to_hold_nothing_up(wire: Wire) -> None:
    async with wire.listening():
        await wire.order.write(record, [OrderFulfilled(uuid4(), 2)])
        await wire.tell(uuid4())
        await eventually_async(wire.applied, 1)
        await eventually_async(wire.unpublished, 0)


async def test_what_is_published_twice_is_applied_once(wire: Wire) -> None:
    order = uuid4()
    async with wire.listening():
        await wire.tell(order)
        await eventually_async(wire.unpublished, 0)
        await eventually_async(wire.applied, 1)
        await wire.order.write(_publish_again)
        await wire.tell(uuid4())
        await eventually_async(wire.applied, 2)
        await eventually_async(wire.unpublished, 0)
    assert wire.heard.count(order) == 1


async def test_an_event_that_fails_is_tried_again_and_holds_nobody_up(wire: Wire) -> None:
    clumsy, others, failures = uuid4(), [uuid4() for _ in range(5)], iter(range(2))

    def stumble(session: Session, events: Sequence[OrderCancelled]) -> list[str]:
        if any(event.order_id == clumsy for event in events) and next(failures, None) is not None:
            raise RuntimeError("stumbled")
        return wire.hear(session, events)

    async with wire.listening(stumble):
        await wire.tell(others[0], clumsy, *others[1:])
        await eventually_async(wire.applied, 6)
    assert sorted(wire.heard) == sorted([clumsy, *others])
    assert await wire.dead() == 0


async def test_an_event_that_always_fails_becomes_a_dead_letter(wire: Wire) -> None:
    poison = uuid4()

    def choke(session: Session, events: Sequence[OrderCancelled]) -> list[str]:
        if any(event.order_id == poison for event in events):
            raise RuntimeError("choked")
        return wire.hear(session, events)

    async with wire.listening(choke):
        await wire.tell(poison, uuid4())
        await eventually_async(wire.dead, 1)
        await eventually_async(wire.unpublished, 0)
    assert await wire.applied() == 1
    letter = await wire.stock.read(lambda session: session.scalars(select(DeadLetter)).one())
    assert (letter.consumer, letter.error) == ("stock", "RuntimeError: choked")
    assert str(poison).encode() in letter.body


async def test_a_database_that_is_away_is_nobodys_failed_attempt(wire: Wire) -> None:
    order, tries = uuid4(), iter(range(2 * len(BACKOFF) + 6))

    def away(session: Session, events: Sequence[OrderCancelled]) -> list[str]:
        if next(tries, None) is not None:
            raise Unavailable("the database did not answer")
        return wire.hear(session, events)

    async with wire.listening(away):
        await wire.tell(order)
        await eventually_async(wire.applied, 1, seconds=60)
    assert (wire.heard, await wire.dead()) == ([order], 0)


async def test_events_left_behind_by_a_listener_that_died_are_taken_over(wire: Wire, redis_url: str) -> None:
    """Only a broker can leave them behind; in memory the outbox still has them."""
    order = uuid4()
    async with wire.listening():
        await wire.tell(uuid4())
        await eventually_async(wire.applied, 1)
        await eventually_async(wire.unpublished, 0)
    await wire.tell(order)
    bus = wire.bus()
    if isinstance(bus, RedisBus):
        await _deliver_to_a_consumer_that_dies(wire, bus, redis_url)
    await bus.close()
    async with wire.listening():
        await eventually_async(wire.applied, 2)
    assert wire.heard[1:] == [order]


async def _deliver_to_a_consumer_that_dies(wire: Wire, bus: RedisBus, url: str) -> None:
    relaying = asyncio.create_task(Relay("order", wire.order, bus).run())
    await eventually_async(wire.unpublished, 0)
    relaying.cancel()
    async with Redis.from_url(url) as redis:
        [stream] = [key async for key in redis.scan_iter(f"{wire.prefix}:*", _type="stream")]
        taken: Any = await redis.xreadgroup("stock", "dies", {stream: ">"}, count=10)
    assert taken


def _prefix_in(folder: Path) -> str:
    """Of the names that a test's events have in Redis, which all tests share."""
    return f"test-{folder.name}"


def _publish_again(session: Session) -> None:
    for row in session.scalars(select(Outbox)):
        row.published_at = None

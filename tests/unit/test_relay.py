"""The relay: what a transaction recorded reaches every consumer, whatever becomes of the bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ecshop.events import relay as relay_module
from ecshop.events.buses.base import EventBus, Incarnation, Published
from ecshop.events.buses.memory import MemoryBus
from ecshop.events.catalog import StockDepleted
from ecshop.events.consumer import Consumer
from ecshop.events.outbox import Outgoing, record
from ecshop.events.relay import Relay
from ecshop.events.tables import DeadLetter, Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Unavailable
from ecshop.product.models import CategoryRow
from tests.waiting import eventually

pytestmark = pytest.mark.anyio

OpenDatabase = Callable[..., Database]
BACKOFF = (timedelta(milliseconds=10),) * 3


class Listener:
    """A consumer whose effect is a row an event; it fails for a product as often as it is told to."""

    def __init__(self, name: str, database: Database, failures: dict[int, int] | None = None) -> None:
        self.database, self._failures = database, failures or {}
        self.consumer = Consumer(name, database, {StockDepleted: self._note}, BACKOFF)

    def _note(self, session: Session, events: Sequence[StockDepleted]) -> list[str]:
        bad = [event.product_id for event in events if self._failures.get(event.product_id)]
        if len(events) == 1 and bad:
            self._failures[bad[0]] -= 1
        if bad:
            raise ValueError("not yet")
        for event in events:
            session.add(CategoryRow(name=f"{event.product_id}, {session.scalar(_COUNT)} before"))
            session.flush()
        return ["noted"] * len(events)

    async def heard(self) -> list[int]:
        """The products in the order in which their events were applied."""
        names = await self.database.read(lambda s: list(s.scalars(select(CategoryRow.name).order_by(CategoryRow.id))))
        return [int(name.split(",")[0]) for name in names]


_COUNT = select(func.count()).select_from(CategoryRow)


class FakeBroker:
    """A bus at the other end of a wire: it can be away, restarted or emptied."""

    def __init__(self) -> None:
        self.incarnation = Incarnation("run 1", "epoch 1")
        self.away = False
        self.refused = 0
        self.taken: list[int] = []

    async def publish(self, events: Sequence[Outgoing]) -> Published:
        if self.away:
            self.refused += 1
            raise Unavailable("the broker does not answer")
        self.taken += [event.seq for event in events]
        return Published([event.seq for event in events], incarnation=self.incarnation)

    def connect(self, consumer: Consumer) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def _no_long_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "_POLL", 0.02)


@asynccontextmanager
async def _relaying(database: Database, bus: EventBus) -> AsyncIterator[None]:
    task = asyncio.create_task(Relay("shop", database, bus).run())
    try:
        yield
    finally:
        assert not task.done() or task.exception() is None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _tell(database: Database, *product_ids: int) -> None:
    await database.write(record, [StockDepleted(product_id, 1) for product_id in product_ids])


async def _waiting(database: Database) -> list[int]:
    """The places in the outbox that are not published."""
    unpublished = select(Outbox.seq).where(Outbox.published_at.is_(None)).order_by(Outbox.seq)
    return await database.read(lambda session: list(session.scalars(unpublished)))


async def _all_out(database: Database) -> None:
    async def nothing_waits() -> bool:
        return not await _waiting(database)

    await eventually(nothing_waits)


async def test_an_event_is_applied_after_its_commit(open_database: OpenDatabase) -> None:
    shop, bus = open_database("shop"), MemoryBus()
    one, other = (Listener(name, open_database(name)) for name in ("one", "other"))
    bus.connect(one.consumer)
    bus.connect(other.consumer)
    async with _relaying(shop, bus):
        await _tell(shop, 1, 2)
        await _tell(shop, 3)
        await _all_out(shop)
    assert await one.heard() == await other.heard() == [1, 2, 3]


async def test_a_commit_wakes_the_relay(open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "_POLL", 3600)
    shop, broker = open_database(), FakeBroker()
    async with _relaying(shop, broker):
        for product_id in range(5):
            await _tell(shop, product_id)
            await _all_out(shop)
    assert broker.taken == [1, 2, 3, 4, 5]


async def test_an_event_of_another_process_is_found_by_polling(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    command = open_database(guest=True)
    async with _relaying(shop, broker):
        await _tell(command, 1)
        await _all_out(shop)
    assert broker.taken == [1]


async def test_what_was_recorded_before_the_relay_began_is_published(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await _tell(shop, *range(1200))
    async with _relaying(shop, broker):
        await _all_out(shop)
    assert broker.taken == list(range(1, 1201))


async def test_a_rolled_back_event_is_never_published(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()

    def tell_and_fail(session: Session) -> None:
        record(session, [StockDepleted(1, 1)])
        raise ValueError("no")

    async with _relaying(shop, broker):
        with pytest.raises(ValueError, match="no"):
            await shop.write(tell_and_fail)
        await _tell(shop, 2)
        await _all_out(shop)
    assert len(broker.taken) == 1


async def test_an_event_that_nobody_listens_to_is_done_with(open_database: OpenDatabase) -> None:
    shop = open_database()
    async with _relaying(shop, MemoryBus()):
        await _tell(shop, 1)
        await _all_out(shop)


async def test_a_failing_consumer_postpones_only_its_own_event(open_database: OpenDatabase) -> None:
    shop, bus = open_database("shop"), MemoryBus()
    sound, failing = Listener("sound", open_database("sound")), Listener("failing", open_database("failing"), {2: 2})
    bus.connect(sound.consumer)
    bus.connect(failing.consumer)
    async with _relaying(shop, bus):
        await _tell(shop, 1, 2, 3)
        await _all_out(shop)
    assert await sound.heard() == [1, 2, 3]
    assert await failing.heard() == [1, 3, 2]


async def test_an_event_that_never_succeeds_is_buried_and_waits_no_more(open_database: OpenDatabase) -> None:
    shop, bus = open_database("shop"), MemoryBus()
    failing = Listener("failing", open_database("failing"), {2: 1000})
    bus.connect(failing.consumer)
    async with _relaying(shop, bus):
        await _tell(shop, 1, 2, 3)
        await _all_out(shop)
    assert await failing.heard() == [1, 3]
    buried = await failing.database.read(lambda session: list(session.scalars(select(DeadLetter.attempts))))
    assert buried == [len(BACKOFF) + 1]


async def test_a_consumer_whose_database_is_away_gets_its_events_later(open_database: OpenDatabase) -> None:
    shop, bus = open_database("shop"), MemoryBus()
    away = open_database("away")
    await away.close()
    bus.connect(Listener("away", away).consumer)
    async with _relaying(shop, bus):
        await _tell(shop, 1)
        assert await _waiting(shop) == [1]
    back, bus = Listener("away", open_database("away")), MemoryBus()
    bus.connect(back.consumer)
    async with _relaying(shop, bus):
        await _all_out(shop)
    assert await back.heard() == [1]


async def test_a_bus_that_is_away_leaves_events_in_the_outbox_and_gets_them_later(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    broker.away = True

    async def refused_twice() -> bool:
        return broker.refused >= 2

    async with _relaying(shop, broker):
        await _tell(shop, 1, 2)
        await eventually(refused_twice)
        assert await _waiting(shop) == [1, 2]
        broker.away = False
        await _all_out(shop)
        await _tell(shop, 3)
        await _all_out(shop)
    assert broker.taken == [1, 2, 3]


async def test_a_bus_that_was_away_costs_an_event_no_attempt(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    broker.away = True

    async def refused() -> bool:
        return broker.refused >= 1

    async with _relaying(shop, broker):
        await _tell(shop, 1)
        await eventually(refused)
        attempts = await shop.read(lambda session: list(session.scalars(select(Outbox.attempts))))
    assert attempts == [0]


async def _published_at_three_ages(shop: Database, broker: FakeBroker) -> None:
    """Three events that the broker took: a day, three hours and one hour ago."""
    async with _relaying(shop, broker):
        await _tell(shop, 1, 2, 3)
        await _all_out(shop)
    assert broker.taken == [1, 2, 3]
    broker.taken.clear()

    def age(session: Session) -> None:
        for seq, hours in ((1, 24), (2, 3), (3, 1)):
            published_at = now() - timedelta(hours=hours)
            session.execute(update(Outbox).where(Outbox.seq == seq).values(published_at=published_at))

    await shop.write(age)


async def test_an_emptied_broker_gets_everything_that_is_retained(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await _published_at_three_ages(shop, broker)
    broker.incarnation = Incarnation("run 2", "epoch 2")
    async with _relaying(shop, broker):
        await _tell(shop, 4)
        await _all_out(shop)
    assert sorted(broker.taken) == [1, 2, 3, 4]


async def test_a_restarted_broker_gets_the_last_two_hours(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await _published_at_three_ages(shop, broker)
    broker.incarnation = Incarnation("run 2", "epoch 1")
    async with _relaying(shop, broker):
        await _tell(shop, 4)
        await _all_out(shop)
    assert sorted(broker.taken) == [3, 4]


async def test_a_refilled_broker_is_known_from_then_on(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await _published_at_three_ages(shop, broker)
    broker.incarnation = Incarnation("run 2", "epoch 2")
    for product_id in (4, 5):
        broker.taken.clear()
        async with _relaying(shop, broker):
            await _tell(shop, product_id)
            await _all_out(shop)
    assert broker.taken == [5]


async def test_the_same_broker_gets_nothing_twice(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await _published_at_three_ages(shop, broker)
    async with _relaying(shop, broker):
        await _tell(shop, 4)
        await _all_out(shop)
    assert broker.taken == [4]


async def test_a_broker_that_is_emptied_while_the_relay_runs_is_refilled_once(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    async with _relaying(shop, broker):
        await _tell(shop, 1, 2)
        await _all_out(shop)
        broker.incarnation = Incarnation("run 1", "epoch 2")
        broker.taken.clear()
        await _tell(shop, 3)
        await _all_out(shop)
        await _tell(shop, 4)
        await _all_out(shop)
    assert sorted(broker.taken) == [1, 2, 3, 4]

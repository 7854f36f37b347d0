"""The relay: what a transaction recorded reaches every consumer, whatever becomes of the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ecshop.events.buses.base import Published
from ecshop.events.buses.memory import MemoryBus
from ecshop.events.catalog import StockDepleted
from ecshop.events.outbox import Outgoing, Receipt, record
from ecshop.events.tables import DeadLetter, Outbox
from ecshop.kernel.db.database import Database
from tests.unit.notes import OpenDatabase
from tests.unit.relaying import BACKOFF, FakeBroker, Listener, all_out, relaying, tell, waiting
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio


async def test_an_event_is_applied_after_its_commit(open_database: OpenDatabase) -> None:
    shop, bus = open_database("shop"), MemoryBus()
    one, other = (Listener(name, open_database(name)) for name in ("one", "other"))
    bus.connect(one.consumer)
    bus.connect(other.consumer)
    async with relaying(shop, bus):
        await tell(shop, 1, 2)
        await tell(shop, 3)
        await all_out(shop)
    assert await one.heard() == await other.heard() == [1, 2, 3]


async def test_a_commit_wakes_the_relay(open_database: OpenDatabase) -> None:
    """Polling alone would take half a second for each of these."""
    shop, broker = open_database(), FakeBroker()
    async with relaying(shop, broker), asyncio.timeout(20):
        for product_id in range(100):
            await tell(shop, product_id)
            await all_out(shop)
    assert broker.taken == list(range(1, 101))


async def test_an_event_of_another_process_is_found_by_polling(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    command = open_database(guest=True)
    async with relaying(shop, broker):
        await tell(command, 1)
        await all_out(shop)
    assert broker.taken == [1]


async def test_what_was_recorded_before_the_relay_began_is_published(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await tell(shop, *range(1200))
    async with relaying(shop, broker):
        await all_out(shop)
    assert broker.taken == list(range(1, 1201))


async def test_a_rolled_back_event_is_never_published(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()

    def tell_and_fail(session: Session) -> None:
        record(session, [StockDepleted(1, 1)])
        raise ValueError("no")

    async with relaying(shop, broker):
        with pytest.raises(ValueError, match="no"):
            await shop.write(tell_and_fail)
        await tell(shop, 2)
        await all_out(shop)
    assert len(broker.taken) == 1


async def test_an_event_that_nobody_listens_to_is_done_with(open_database: OpenDatabase) -> None:
    shop = open_database()
    async with relaying(shop, MemoryBus()):
        await tell(shop, 1)
        await all_out(shop)


async def test_a_failing_consumer_postpones_only_its_own_event(open_database: OpenDatabase) -> None:
    shop, bus = open_database("shop"), MemoryBus()
    sound, failing = Listener("sound", open_database("sound")), Listener("failing", open_database("failing"), {2: 2})
    bus.connect(sound.consumer)
    bus.connect(failing.consumer)
    async with relaying(shop, bus):
        await tell(shop, 1, 2, 3)
        await all_out(shop)
    assert await sound.heard() == [1, 2, 3]
    assert await failing.heard() == [1, 3, 2]


async def test_an_event_that_never_succeeds_is_buried_and_waits_no_more(open_database: OpenDatabase) -> None:
    shop, bus = open_database("shop"), MemoryBus()
    failing = Listener("failing", open_database("failing"), {2: 1000})
    bus.connect(failing.consumer)
    async with relaying(shop, bus):
        await tell(shop, 1, 2, 3)
        await all_out(shop)
    assert await failing.heard() == [1, 3]
    buried = await failing.database.read(lambda session: list(session.scalars(select(DeadLetter.attempts))))
    assert buried == [len(BACKOFF) + 1]


async def test_a_consumer_whose_database_is_away_gets_its_events_later(open_database: OpenDatabase) -> None:
    shop, bus = open_database("shop"), MemoryBus()
    away = open_database("away")
    await away.close()
    bus.connect(Listener("away", away).consumer)
    async with relaying(shop, bus):
        await tell(shop, 1)
        assert await waiting(shop) == [1]
    back, bus = Listener("away", open_database("away")), MemoryBus()
    bus.connect(back.consumer)
    async with relaying(shop, bus):
        await all_out(shop)
    assert await back.heard() == [1]


async def test_a_bus_that_is_away_leaves_events_in_the_outbox_and_gets_them_later(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    broker.away = True

    async def refused_twice() -> bool:
        return broker.refused >= 2

    async with relaying(shop, broker):
        await tell(shop, 1, 2)
        await eventually_async(refused_twice, True)
        assert await waiting(shop) == [1, 2]
        broker.away = False
        await all_out(shop)
        await tell(shop, 3)
        await all_out(shop)
    assert broker.taken == [1, 2, 3]


async def test_a_bus_that_was_away_costs_an_event_no_attempt(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    broker.away = True

    async def refused() -> bool:
        return broker.refused >= 1

    async with relaying(shop, broker):
        await tell(shop, 1)
        await eventually_async(refused, True)
        attempts = await shop.read(lambda session: list(session.scalars(select(Outbox.attempts))))
    assert attempts == [0]


async def test_what_only_a_newer_version_can_read_holds_nobody_up(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()

    def foreign(session: Session) -> None:
        session.execute(update(Outbox).values(type="ecshop.stock.counted.v1"))

    await tell(shop, *range(600))
    await shop.write(foreign)
    await tell(shop, 1)
    async with relaying(shop, broker):
        await eventually_async(lambda: waiting(shop), list(range(1, 601)))
    assert broker.taken == [601]
    assert await shop.read(lambda session: set(session.scalars(select(Outbox.attempts)))) == {0}


class Buyer(FakeBroker):
    """Has something recorded each time that receipts are noted, and remembers in which order it was asked for what."""

    def __init__(self, shop: Database) -> None:
        super().__init__()
        self._shop = shop
        self.asked: list[str] = []

    async def publish(self, outbox: str, events: Sequence[Outgoing]) -> Published:
        self.asked.append("published")
        return await super().publish(outbox, events)

    async def forget(self, outbox: str, receipts: Sequence[Receipt]) -> None:
        await super().forget(outbox, receipts)
        await tell(self._shop, 1)
        self.asked.append("noted")


async def test_however_many_receipts_there_are_what_is_due_goes_in_between(open_database: OpenDatabase) -> None:
    shop = open_database()
    broker = Buyer(shop)
    await tell(shop, *range(2000))
    async with relaying(shop, broker):
        await all_out(shop)
        broker.asked.clear()
        broker.hear(*range(1, 2001))
        await eventually_async(lambda: _how_often(broker, "noted"), 4)
        await all_out(shop)
    assert broker.asked[:8] == ["noted", "published"] * 4


async def _how_often(broker: Buyer, what: str) -> int:
    return broker.asked.count(what)

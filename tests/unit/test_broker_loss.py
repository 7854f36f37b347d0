"""A broker that was restarted or emptied is given again what it may have lost, and no more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from ecshop.events.tables import Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from tests.unit.notes import OpenDatabase
from tests.unit.relaying import FakeBroker, all_out, relaying, tell

pytestmark = pytest.mark.anyio


async def test_an_emptied_broker_gets_everything_that_is_retained(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await _published_at_three_ages(shop, broker)
    broker.broker = "run-2 epoch-2"
    async with relaying(shop, broker):
        await tell(shop, 4)
        await all_out(shop)
    assert sorted(broker.taken) == [1, 2, 3, 4]


async def test_a_restarted_broker_gets_the_last_two_hours(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await _published_at_three_ages(shop, broker)
    broker.broker = "run-2 epoch-1"
    async with relaying(shop, broker):
        await tell(shop, 4)
        await all_out(shop)
    assert sorted(broker.taken) == [3, 4]


async def test_a_refilled_broker_is_known_from_then_on(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await _published_at_three_ages(shop, broker)
    broker.broker = "run-2 epoch-2"
    for product_id in (4, 5):
        broker.taken.clear()
        async with relaying(shop, broker):
            await tell(shop, product_id)
            await all_out(shop)
    assert broker.taken == [5]


async def test_the_same_broker_gets_nothing_twice(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await _published_at_three_ages(shop, broker)
    async with relaying(shop, broker):
        await tell(shop, 4)
        await all_out(shop)
    assert broker.taken == [4]


async def test_a_broker_that_is_emptied_while_the_relay_runs_is_refilled_once(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    async with relaying(shop, broker):
        await tell(shop, 1, 2)
        await all_out(shop)
        broker.broker = "run-1 epoch-2"
        broker.taken.clear()
        await tell(shop, 3)
        await all_out(shop)
        await tell(shop, 4)
        await all_out(shop)
    assert sorted(broker.taken) == [1, 2, 3, 4]


async def _published_at_three_ages(shop: Database, broker: FakeBroker) -> None:
    """Three events that the broker took: a day, three hours and one hour ago."""
    async with relaying(shop, broker):
        await tell(shop, 1, 2, 3)
        await all_out(shop)
    assert broker.taken == [1, 2, 3]
    broker.taken.clear()

    def age(session: Session) -> None:
        for seq, hours in ((1, 24), (2, 3), (3, 1)):
            published_at = now() - timedelta(hours=hours)
            session.execute(update(Outbox).where(Outbox.seq == seq).values(published_at=published_at))

    await shop.write(age)

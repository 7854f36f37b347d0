"""A row is done when its listeners have applied it: what a broker took, and lost before that, is sent again."""

from __future__ import annotations

import pytest
import structlog
from structlog.testing import capture_logs

from ecshop.events.outbox import Receipt
from tests.unit.notes import OpenDatabase
from tests.unit.relaying import FakeBroker, all_out, relaying, tell, unheard
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _logs_of_this_test() -> None:
    structlog.reset_defaults()


async def test_what_is_lost_before_it_was_heard_is_sent_again_under_its_own_id(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    async with relaying(shop, broker):
        await tell(shop, 1, 2, 3)
        await all_out(shop)
        first = list(broker.ids)
        broker.lose_everything()
        await eventually_async(lambda: _taken(broker), 6)
        broker.hear(1, 2, 3)
        await eventually_async(lambda: unheard(shop), [])
    assert broker.ids == first * 2


async def test_what_was_heard_is_not_sent_again_whatever_the_broker_loses(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    async with relaying(shop, broker):
        await tell(shop, 1, 2)
        await all_out(shop)
        broker.hear(1)
        await eventually_async(lambda: unheard(shop), [2])
        broker.lose_everything()
        await eventually_async(lambda: _taken(broker), 3)
        broker.hear(2)
        await eventually_async(lambda: unheard(shop), [])
    assert broker.taken == [1, 2, 2]


async def test_what_waits_at_the_broker_is_left_there(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    async with relaying(shop, broker):
        await tell(shop, 1)
        for product_id in (2, 3, 4):  # the relay looks between these
            await tell(shop, product_id)
            await all_out(shop)
    assert broker.taken == [1, 2, 3, 4]
    assert await unheard(shop) == [1, 2, 3, 4]


async def test_a_receipt_for_another_event_in_its_place_counts_for_nothing(open_database: OpenDatabase) -> None:
    """As from before a backup was restored, which counts on from an earlier place."""
    shop, broker = open_database(), FakeBroker()
    async with relaying(shop, broker):
        await tell(shop, 1, 2)
        await all_out(shop)
        broker.leave(Receipt(1, "of another life"))
        broker.hear(2)
        await eventually_async(lambda: unheard(shop), [1])


async def test_a_pile_of_lost_events_holds_up_no_fresh_one(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    await tell(shop, *range(1, 3001))
    async with relaying(shop, broker):
        await all_out(shop)
    broker.lose_everything()
    broker.taken.clear()
    async with relaying(shop, broker):
        await eventually_async(lambda: _any(broker), True)
        await tell(shop, 3001)
        await eventually_async(lambda: _taken(broker), 3001)
    assert broker.taken.index(3001) < 2500


async def test_a_relay_that_starts_finds_what_was_lost_while_it_was_down(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    async with relaying(shop, broker):
        await tell(shop, 1)
        await all_out(shop)
    broker.lose_everything()
    async with relaying(shop, broker):
        await eventually_async(lambda: _taken(broker), 2)


async def test_a_loss_is_said(open_database: OpenDatabase) -> None:
    shop, broker = open_database(), FakeBroker()
    with capture_logs() as logs:
        async with relaying(shop, broker):
            await tell(shop, 1, 2)
            await all_out(shop)
            broker.lose_everything()
            await eventually_async(lambda: _taken(broker), 4)
    [line] = [line for line in logs if line["log_level"] == "warning"]
    assert (line["context"], line["events"]) == ("shop", 2)


async def _taken(broker: FakeBroker) -> int:
    return len(broker.taken)


async def _any(broker: FakeBroker) -> bool:
    return bool(broker.taken)

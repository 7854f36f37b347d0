"""A Redis that is wiped under a long history: what was not heard goes out again, and holds up nothing fresh."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import structlog
from redis.asyncio import Redis
from sqlalchemy import update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from ecshop.events.catalog import OrderCancelled
from ecshop.events.outbox import record
from ecshop.events.tables import Outbox
from ecshop.kernel.clock import now
from tests.contract.wires import Wire, count_rows
from tests.waiting import eventually_async

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("wire", ["redis"], indirect=True)]

HEARD, UNHEARD, AT_ONCE = 20_000, 1_200, 500


async def test_only_what_was_not_heard_is_sent_again_by_slices_and_fresh_events_go_in_between(
    wire: Wire, redis_url: str
) -> None:
    structlog.reset_defaults()
    before = uuid4()
    async with wire.listening(), Redis.from_url(redis_url) as redis:
        await wire.tell(before)
        await eventually_async(wire.unheard, 0)
        await redis.flushall()
        with capture_logs() as logs:
            lost = await wire.order.write(_history)
            fresh = await _tell_until_all_is_heard(wire)
        assert await redis.xlen(f"{wire.prefix}:order") == UNHEARD + len(fresh)
    assert sorted(wire.heard) == sorted([before, *lost, *fresh])
    assert len(fresh) > 1
    assert wire.heard.index(fresh[0]) <= 1 + 2 * AT_ONCE
    slices = [line["events"] for line in logs if "the broker has lost events" in line["event"]]
    assert (sum(slices), max(slices)) == (UNHEARD, AT_ONCE)


async def _tell_until_all_is_heard(wire: Wire) -> list[UUID]:
    """One after the other, each as soon as the one before is applied."""
    told: list[UUID] = []

    async def is_applied() -> bool:
        return told[-1] in wire.heard

    while not told or await wire.unheard():
        told.append(uuid4())
        await wire.tell(told[-1])
        await eventually_async(is_applied, True)
    return told


def _history(session: Session) -> list[UUID]:
    """Many events that were heard, and some that are where the broker no longer has them; returns their orders."""
    orders = [uuid4() for _ in range(HEARD + UNHEARD)]
    first = count_rows(session, Outbox) + 1
    record(session, [OrderCancelled(order, 1) for order in orders])
    moment = now() - timedelta(hours=1)
    taken = update(Outbox).where(Outbox.seq >= first).values(published_at=moment, place="order 1700000000000-0")
    session.execute(taken)
    session.execute(update(Outbox).where(Outbox.seq < first + HEARD).values(heard_at=moment))
    return orders[HEARD:]

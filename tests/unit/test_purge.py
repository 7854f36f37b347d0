"""The purge: all that is past its retention goes, in slices between which others get their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from ecshop.events import inbox, outbox, purge
from ecshop.events.catalog import StockDepleted
from ecshop.events.outbox import Purged, record
from ecshop.events.purge import Purge
from ecshop.events.tables import Inbox, Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from tests.unit.notes import OpenDatabase, add
from tests.unit.steps import with_steps
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice that a busy machine holds up would be followed by one of seconds, and there are a hundred of them."""
    monkeypatch.setattr(purge, "_LONGEST_PAUSE", 0.2)


@asynccontextmanager
async def purging(database: Database, *, every: float = 60.0) -> AsyncIterator[None]:
    task = asyncio.create_task(Purge("shelf", database, HOUR, every=every).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def heard(session: Session, number: int, age: timedelta) -> None:
    """That many events, which every listener applied so long ago."""
    record(session, [StockDepleted(product_id, 1) for product_id in range(number)])
    moment = now() - age
    session.execute(
        update(Outbox).where(Outbox.heard_at.is_(None)).values(recorded_at=moment, published_at=moment, heard_at=moment)
    )


def applied(session: Session, number: int, age: timedelta) -> None:
    moment = now() - age
    milliseconds = int(moment.timestamp() * 1000)
    ids = [f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7000-8000-{n:012x}" for n in range(number)]
    session.execute(insert(Inbox), [{"consumer": "shelf", "event_id": id_, "applied_at": moment} for id_ in ids])


def rows(session: Session) -> tuple[int, int]:
    """Of the outbox, and of the inbox."""
    outbox, inbox = (session.scalar(select(func.count()).select_from(table)) or 0 for table in (Outbox, Inbox))
    return outbox, inbox


async def test_what_is_past_its_retention_goes_and_the_rest_stays(open_database: OpenDatabase) -> None:
    shop = open_database()
    for age in (2.5, 1.5, 0.5):
        await shop.write(heard, 500, age * HOUR)
        await shop.write(applied, 500, age * HOUR)
    await shop.write(record, [StockDepleted(1, 1)])
    async with purging(shop):
        await eventually_async(lambda: shop.read(rows), (501, 1000), seconds=30)


async def test_others_get_their_turn_in_between(open_database: OpenDatabase) -> None:
    shop = open_database()
    await shop.write(heard, 5_000, 2 * HOUR)
    async with purging(shop):
        left = [(await shop.read(rows))[0]]
        for number in range(10):
            await shop.write(add, f"note {number}")
            left.append((await shop.read(rows))[0])
        assert left[-1] > 0
        await eventually_async(lambda: shop.read(rows), (0, 0), seconds=120)


async def test_it_begins_anew_after_a_while(open_database: OpenDatabase) -> None:
    shop = open_database()
    async with purging(shop, every=0.01):
        for _ in range(2):
            await shop.write(heard, 10, 2 * HOUR)
            await eventually_async(lambda: shop.read(rows), (0, 0))


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "forget", [lambda s: outbox.purge(s, now(), 0, 100), lambda s: inbox.purge(s, "shelf", now(), "", 100)]
)
async def test_a_slice_looks_at_no_more_than_it_may_forget(
    open_database: OpenDatabase, forget: Callable[[Session], Purged[Any]]
) -> None:
    shop = open_database()

    def steps_of_a_slice(session: Session) -> int:
        purged, steps = with_steps(session, lambda: forget(session))
        assert purged.rows == 100
        return steps

    steps: list[int] = []
    for _ in range(2):
        await shop.write(heard, 2_000, 2 * HOUR)
        await shop.write(applied, 2_000, (2 + len(steps)) * HOUR)
        steps.append(await shop.write(steps_of_a_slice))
    assert steps[1] <= steps[0] + 10

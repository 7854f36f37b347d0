"""A relay at work, between an outbox and whoever hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ecshop.events.buses.base import EventBus, Published
from ecshop.events.catalog import StockDepleted
from ecshop.events.consumer import Consumer
from ecshop.events.outbox import Outgoing, Receipt, Taken, record
from ecshop.events.relay import Relay
from ecshop.events.tables import IS_DUE, Outbox
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Unavailable
from tests.unit.notes import Note
from tests.waiting import eventually_async

BACKOFF = (timedelta(milliseconds=10),) * 3


class FakeBroker:
    """A bus at the other end of a wire: it can be away, and it can lose what it has taken."""

    def __init__(self) -> None:
        self.away = False
        self.refused = 0
        self.taken: list[int] = []
        self.ids: list[str] = []
        self._entries: dict[str, Receipt] = {}
        self._receipts: set[Receipt] = set()

    async def publish(self, outbox: str, events: Sequence[Outgoing]) -> Published:
        self._answer()
        here = [Taken(event.seq, event.event_id, str(uuid4())) for event in events]
        self._entries |= {one.place: Receipt(one.seq, one.event_id) for one in here}
        self.taken += [event.seq for event in events]
        self.ids += [event.event_id for event in events]
        return Published(taken=here)

    async def receipts(self, outbox: str) -> Sequence[Receipt]:
        self._answer()
        return list(self._receipts)

    async def forget(self, outbox: str, receipts: Sequence[Receipt]) -> None:
        self._receipts -= set(receipts)

    async def lost(self, outbox: str, taken: Sequence[Taken]) -> Sequence[int]:
        self._answer()
        return [one.seq for one in taken if one.place not in self._entries]

    def hear(self, *seqs: int) -> None:
        """Have every listener apply these."""
        self._receipts |= {receipt for receipt in self._entries.values() if receipt.seq in seqs}

    def leave(self, receipt: Receipt) -> None:
        self._receipts.add(receipt)

    def lose_everything(self) -> None:
        self._entries.clear()
        self._receipts.clear()

    def _answer(self) -> None:
        if self.away:
            self.refused += 1
            raise Unavailable("the broker does not answer")

    def connect(self, consumer: Consumer) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


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
            session.add(Note(text=f"{event.product_id}, {session.scalar(_COUNT)} before"))
            session.flush()
        return ["noted"] * len(events)

    async def heard(self) -> list[int]:
        """The products in the order in which their events were applied."""
        written = await self.database.read(lambda s: list(s.scalars(select(Note.text).order_by(Note.id))))
        return [int(note.split(",")[0]) for note in written]


@asynccontextmanager
async def relaying(database: Database, bus: EventBus) -> AsyncIterator[None]:
    task = asyncio.create_task(Relay("shop", database, bus, look_every=0.01).run())
    try:
        yield
    finally:
        assert not task.done() or task.exception() is None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def tell(database: Database, *product_ids: int) -> None:
    await database.write(record, [StockDepleted(product_id, 1) for product_id in product_ids])


async def waiting(database: Database) -> list[int]:
    """The places in the outbox that are not published."""
    unpublished = select(Outbox.seq).where(IS_DUE).order_by(Outbox.seq)
    return await database.read(lambda session: list(session.scalars(unpublished)))


async def unheard(database: Database) -> list[int]:
    """The places in the outbox that not every listener has applied."""
    query = select(Outbox.seq).where(Outbox.heard_at.is_(None)).order_by(Outbox.seq)
    return await database.read(lambda session: list(session.scalars(query)))


async def all_out(database: Database) -> None:
    await eventually_async(lambda: waiting(database), [])


_COUNT = select(func.count()).select_from(Note)

"""An order database that tells, a stock database that listens, and each kind of bus between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import URL, ColumnElement, func, select
from sqlalchemy.orm import Session

from ecshop.events.buses.base import EventBus
from ecshop.events.catalog import OrderCancelled
from ecshop.events.consumer import Consumer, Handler
from ecshop.events.outbox import record
from ecshop.events.relay import Relay
from ecshop.events.tables import IS_DUE, DeadLetter, Inbox, Outbox
from ecshop.kernel.db.database import Database

BACKOFF = tuple(timedelta(milliseconds=ms) for ms in (10, 20, 40))


class Wire:
    def __init__(self, order: URL, stock: URL, shop_id: str, bus: Callable[[], EventBus]) -> None:
        self.order = Database(order, synchronous="NORMAL")
        self.stock = Database(stock, synchronous="NORMAL")
        self.bus, self.shop_id = bus, shop_id
        self.prefix = f"ecshop:{shop_id}"
        self.heard: list[UUID] = []

    @asynccontextmanager
    async def listening(self, handler: Handler | None = None, bus: EventBus | None = None) -> AsyncIterator[None]:
        """Relay and deliver while the context lasts."""
        bus = bus or self.bus()
        bus.connect(Consumer("stock", self.stock, {OrderCancelled: handler or self.hear}, BACKOFF))
        relays = [
            Relay(name, one, bus, look_every=0.05) for name, one in (("order", self.order), ("stock", self.stock))
        ]
        tasks = [asyncio.create_task(job()) for job in (bus.run, *(relay.run for relay in relays))]
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
        return await self.stock.read(count_rows, Inbox)

    async def dead(self) -> int:
        return await self.stock.read(count_rows, DeadLetter)

    async def unpublished(self) -> int:
        return await self.order.read(count_rows, Outbox, IS_DUE)

    async def unheard(self) -> int:
        return await self.order.read(count_rows, Outbox, Outbox.heard_at.is_(None))

    @asynccontextmanager
    async def relaying(self, name: str, database: Database) -> AsyncIterator[EventBus]:
        """Only publish; over a broker nobody takes it."""
        bus = self.bus()
        task = asyncio.create_task(Relay(name, database, bus, look_every=0.05).run())
        try:
            yield bus
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await bus.close()


def count_rows(session: Session, table: type[Any], *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def shop_id_in(folder: Path) -> str:
    """Of the names that a test's events have in Redis, which all tests share."""
    return f"test-{folder.name}"

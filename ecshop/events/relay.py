"""Brings what one database's outbox holds to the bus, and notices when the bus has lost what it took."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.orm import Session

from ecshop.events import inbox, outbox
from ecshop.events.backoff import repeat
from ecshop.events.buses.base import EVERYTHING, EventBus, Published
from ecshop.events.outbox import last_published, pending, resend, settle
from ecshop.events.tables import RelayState
from ecshop.kernel.db.database import Database

log = structlog.get_logger("events")

_AT_ONCE: Final = 500
_POLL: Final = 0.5
_LOOK_EVERY: Final = 2.0
_PURGE_EVERY: Final = 600.0
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Relay:
    """Publishes after each commit, and polls for what falls due later or was recorded by another process."""

    def __init__(self, name: str, database: Database, bus: EventBus) -> None:
        self._name, self._database, self._bus = name, database, bus
        self._wake = asyncio.Event()
        self._broker = ""
        self._purged = self._looked = time.monotonic()
        database.on_commit.append(self._wake.set)

    async def run(self) -> None:
        """Relay until cancelled."""
        await repeat(self._step, f"the relay of {self._name}")

    async def _step(self) -> None:
        await self._drain()
        await self._look_after_the_bus()
        await self._purge()
        await self._woken()

    async def _woken(self) -> None:
        try:
            async with asyncio.timeout(_POLL):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _drain(self) -> None:
        while True:
            self._wake.clear()
            due = await self._database.read(pending, _AT_ONCE)
            if not due:
                return
            published = await self._bus.publish(due)
            await self._heal(published)
            await self._database.write(settle, published.done, published.postponed)

    async def _look_after_the_bus(self) -> None:
        """A broker that loses what it has while the shop is quiet must not wait for the next event to be noticed."""
        if time.monotonic() - self._looked > _LOOK_EVERY:
            await self._heal(await self._bus.publish([]))
            self._looked = time.monotonic()

    async def _heal(self, published: Published) -> None:
        """Resend what a restarted or emptied broker may have lost, before what it just took is settled."""
        if published.broker == self._broker:
            return
        again = await self._database.write(self._resend_what_is_lost, published.broker)
        if again:
            log.warning("the broker was restarted or emptied: events are sent again", context=self._name, events=again)
        self._broker = published.broker

    def _resend_what_is_lost(self, session: Session, found: str) -> int:
        state = session.get(RelayState, "broker")
        if state is None:
            session.add(RelayState(bus="broker", broker=found))
            return 0
        lost = self._bus.may_have_lost(state.broker, found)
        state.broker = found
        if not lost:
            return 0
        return resend(session, _EVER if lost == EVERYTHING else last_published(session) - lost)

    async def _purge(self) -> None:
        if time.monotonic() - self._purged > _PURGE_EVERY:
            while await self._database.write(_purge, self._name):
                pass
            self._purged = time.monotonic()


def _purge(session: Session, consumer: str) -> int:
    return outbox.purge(session) + inbox.purge(session, consumer)

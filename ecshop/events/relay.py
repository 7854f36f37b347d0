"""Brings what one database's outbox holds to the bus, and calls it done when every listener has applied it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from sqlalchemy.orm import Session

from ecshop.events.backoff import repeat
from ecshop.events.buses.base import EventBus, Published
from ecshop.events.envelope import Envelope
from ecshop.events.outbox import Due, Outgoing, confirm, count_unheard, leave, pending, read, resend, settle, unheard
from ecshop.events.tracing import sent
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from ecshop.kernel.telemetry.spans import Span

log = structlog.get_logger("events")

_AT_ONCE: Final = 500
_POLL, _POLL_BESIDE_OTHERS = 0.5, 0.1  # seconds, while something happens
_POLL_QUIETLY, _POLL_QUIETLY_BESIDE_OTHERS = 1.0, 0.5
_QUIET: Final = 5.0  # seconds without an event, after which others are not expected to have one at any moment
_TRY_TO_LEAD: Final = 1.0
_SAY_EVERY: Final = 60.0


class Relay:
    """Publishes after each commit, and polls for what falls due later or was recorded by another process.

    Of several processes on one database, the one that leads relays.

    Every `look_every` seconds it looks for what is published and not heard.
    """

    def __init__(self, name: str, database: Database, bus: EventBus, *, look_every: float = 2.0) -> None:
        self.name, self._database, self._bus, self._look_every = name, database, bus, look_every
        self._wake, self._busy = asyncio.Event(), -math.inf
        self._looked_at, self._looked_to = now(), 0
        self._looked = self._said = time.monotonic()
        self.published = 0
        """How many events the bus has taken."""
        database.on_notify.append(self._wake.set)

    async def run(self) -> None:
        """Relay until cancelled."""
        await repeat(self._step, f"the relay of {self.name}")

    async def _step(self) -> None:
        if not await self._database.lead.held():
            await asyncio.sleep(_TRY_TO_LEAD)
            return
        await self._drain()
        if time.monotonic() - self._looked > self._look_every:
            await self._note_receipts()
            if await self._send_lost_again():
                return  # more may be lost: what is due goes first, in between
            self._looked, self._looked_at = time.monotonic(), now()
            await self._say_what_is_unheard()
        await self._woken()

    async def _woken(self) -> None:
        is_quiet, others = time.monotonic() > self._busy + _QUIET, self._database.admits_others
        if is_quiet:
            pause = _POLL_QUIETLY_BESIDE_OTHERS if others else _POLL_QUIETLY
        else:
            pause = _POLL_BESIDE_OTHERS if others else _POLL
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _drain(self) -> None:
        self._wake.clear()
        due = await self._database.read(pending, _AT_ONCE)
        while due:
            self._busy = time.monotonic()
            readable = read(due)
            with _sending(readable) as outgoing:
                published = await self._bus.publish(self.name, outgoing)
            self.published += len(published.taken) + len(published.heard)
            self._wake.clear()
            left = {one.seq for one in due} - {one.seq for one in readable}
            due = await self._database.write(_settle, published, sorted(left))

    async def _note_receipts(self) -> None:
        """A few at a time: what is due goes first, in between."""
        receipts = await self._bus.receipts(self.name)
        for first in range(0, len(receipts), _AT_ONCE):
            some = receipts[first : first + _AT_ONCE]
            await self._database.write(confirm, some)
            await self._bus.forget(self.name, some)
            await self._drain()

    async def _send_lost_again(self) -> bool:
        """Look for the next few that were not heard since the last look; returns whether the broker had lost any."""
        window = await self._database.read(unheard, self._looked_at, self._looked_to, _AT_ONCE)
        self._looked_to = window[-1].seq if len(window) == _AT_ONCE else 0
        lost = await self._bus.lost(self.name, window) if window else ()
        if lost:
            log.warning("the broker has lost events: they are sent again", context=self.name, events=len(lost))
            await self._database.write(resend, lost)
        return bool(lost)

    async def _say_what_is_unheard(self) -> None:
        if time.monotonic() - self._said > _SAY_EVERY:
            self._said = time.monotonic()
            found = await self._database.read(count_unheard)
            if found:
                log.warning("published, not heard", context=self.name, events=found.events, since=found.since)


@contextmanager
def _sending(events: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    """Those that are part of a trace are sent as part of a span each."""
    spans: list[Span] = []
    outgoing: list[Outgoing] = []
    for event in events:
        if isinstance(event.message, Envelope) and event.message.traceparent:
            envelope, span = sent(event.message)
            spans.append(span)
            outgoing.append(event._replace(message=envelope))
        else:
            outgoing.append(event)
    try:
        yield outgoing
    except Exception as error:
        for span in spans:
            span.end_with(error)
        raise
    for span in spans:
        span.end()


def _settle(session: Session, published: Published, left: Sequence[int]) -> list[Due]:
    """Returns what is due next: in the same transaction, for it costs another thread's turn less."""
    settle(session, published.heard, published.taken, published.postponed)
    leave(session, left)
    return pending(session, _AT_ONCE)

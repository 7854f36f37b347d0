"""Forgets, beside everything else, what nobody will ask for again: events that are long heard,
and long applied, and requests that were answered."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Final

from sqlalchemy.orm import Session

from ecshop.events import inbox, outbox, repeats
from ecshop.events.backoff import repeat
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database

_HOLD: Final = 0.005  # seconds of a slice, which the writer of SQLite has for nothing else
_PAUSE: Final = 30  # times as long as a slice: what waits for the writer goes first
_LONGEST_PAUSE: Final = 5.0  # seconds
_FEWEST, _FIRST, _MOST = 20, 200, 2000
"""Rows of a slice."""
_ANSWERS: Final = timedelta(days=7)
"""For which a request with an idempotency key is answered as it was the first time."""
_A_SECOND: Final = 8000
"""Rows: more than a full load leaves behind, and few enough to cost it little."""


class Purge:
    """Of one database. An event stays for its `retention` after every listener has applied it, and as long as one has
    not; a listener remembers it for twice as long, which is longer than it can come again.
    """

    def __init__(self, name: str, database: Database, retention: timedelta, *, every: float = 60.0) -> None:
        """It begins anew `every` so many seconds."""
        self._name, self._database, self._retention, self._every = name, database, retention, every
        self._sent: int | None = None
        self._applied: str | None = None
        self._rows = _FIRST

    async def run(self) -> None:
        """Purge until cancelled."""
        await repeat(self._step, f"the purge of {self._name}")

    async def _step(self) -> None:
        if not await self._database.lead.held():
            await asyncio.sleep(self._every)
            return
        self._sent, self._applied = 0, ""
        while self._sent is not None or self._applied is not None:
            rows, seconds = self._rows, await self._database.write(self._slice)
            self._rows = max(_FEWEST, min(_MOST, round(rows * _HOLD / max(seconds, _HOLD / 4))))
            await asyncio.sleep(min(max(seconds * _PAUSE, rows / _A_SECOND), _LONGEST_PAUSE))
        await self._database.write(repeats.purge, now() - _ANSWERS, _MOST)
        await asyncio.sleep(self._every)

    def _slice(self, session: Session) -> float:
        """Returns how long it took, in seconds."""
        began = time.perf_counter()
        if self._sent is not None:
            self._sent = outbox.purge(session, now() - self._retention, self._sent, self._rows).place
        elif self._applied is not None:
            oldest = now() - 2 * self._retention
            self._applied = inbox.purge(session, self._name, oldest, self._applied, self._rows).place
        return time.perf_counter() - began

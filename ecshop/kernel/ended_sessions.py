"""Which sessions have ended while a token of theirs could still be good; auth is asked for them now and then."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

_OVERLAP: Final = timedelta(minutes=1)
"""What is asked for again each time: another process of auth may have ended a session by a clock that is behind."""


class EndedSessions(msgspec.Struct, frozen=True):
    """The sessions that ended since some moment, up to `until`: ask for those since then next."""

    sessions: tuple[UUID, ...]
    until: datetime


Ask = Callable[[datetime | None], Awaitable[EndedSessions]]
"""For those that ended since a moment; without one, for all whose tokens could still be good."""


async def none_ended(_: datetime | None) -> EndedSessions:
    """Where nobody logs out."""
    return EndedSessions((), datetime.max.replace(tzinfo=UTC))


class SessionEnds:
    """Those that were heard of, for as long as the longest life of a token."""

    def __init__(self, ask: Ask, keep: float) -> None:
        """`keep` is in seconds."""
        self._ask, self._keep = ask, keep
        self._heard: dict[UUID, float] = {}
        self._until: datetime | None = None

    def __contains__(self, session: UUID | None) -> bool:
        return session in self._heard

    async def catch_up(self) -> None:
        """Hear of all that ended since the last time. Raises `Unavailable`, and then nothing is forgotten."""
        since = self._until and self._until - _OVERLAP
        while True:
            told = await self._ask(since)
            new = [session for session in told.sessions if session not in self._heard]
            self._heard.update(dict.fromkeys(new, time.monotonic()))
            self._until = since = told.until
            if not new:
                break
        oldest = time.monotonic() - self._keep
        self._heard = {session: heard for session, heard in self._heard.items() if heard >= oldest}

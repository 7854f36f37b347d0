"""What goes wrong on purpose, in development: so that people see how the shop heals."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from ecshop.events.envelope import AnyEnvelope
from ecshop.kernel.clock import now

FaultKind = Literal["pause", "resume", "fail", "duplicate", "kill", "stop_broker"]
LONGEST_PAUSE: Final = timedelta(seconds=30)
_REMEMBERED: Final = 20
_ANSWER_FIRST: Final = 0.2  # seconds

Apply = Callable[[Sequence[AnyEnvelope]], Awaitable[Sequence[str | Exception]]]


class BrokenOnPurpose(Exception):
    """What somebody asked for."""


class Happened(NamedTuple):
    at: datetime
    event_id: str
    type: str
    did: str


class Faults:
    """At the listener of one context, in this process; one that `can_die` is started again by somebody.

    `broker` gives the process of a broker that is started again, too, where there is one.
    """

    def __init__(self, *, can_die: bool, broker: Callable[[], int | None] = lambda: None) -> None:
        self.can_die, self._broker = can_die, broker
        self.can_stop_broker = broker() is not None
        self.failing = self.duplicating = 0
        """How many events are still to fail, and to come twice."""
        self._paused_until: datetime | None = None
        self.happened: deque[Happened] = deque(maxlen=_REMEMBERED)
        self._hurt: set[str] = set()
        self._resumed = asyncio.Event()

    @property
    def paused_until(self) -> datetime | None:
        until = self._paused_until
        return until if until is not None and until > now() else None

    def cause(self, kind: FaultKind) -> None:
        if kind == "pause":
            self._paused_until = now() + LONGEST_PAUSE
            self._resumed.clear()
        elif kind == "resume":
            self._paused_until = None
            self._resumed.set()
        elif kind == "fail":
            self.failing += 1
        elif kind == "duplicate":
            self.duplicating += 1
        elif kind == "stop_broker":
            if broker := self._broker():
                os.kill(broker, signal.SIGKILL)
        elif self.can_die:
            asyncio.get_running_loop().call_later(_ANSWER_FIRST, os.kill, os.getpid(), signal.SIGKILL)

    async def around(self, apply: Apply, envelopes: Sequence[AnyEnvelope]) -> list[str | Exception]:
        """Apply the events, but for those that are to fail; the outcome of each."""
        if not (self._paused_until or self.failing or self.duplicating or self._hurt):
            return list(await apply(envelopes))
        await self._wait()
        failed, rest = envelopes[: self.failing], envelopes[self.failing :]
        self.failing -= len(failed)
        outcomes: list[str | Exception] = [BrokenOnPurpose("broken on purpose") for _ in failed]
        for envelope in failed:
            self._hurt.add(envelope.id)
            self._note(envelope, "failed on purpose, and will be tried again")
        outcomes += await apply(rest)
        for envelope, outcome in zip(rest, outcomes[len(failed) :], strict=True):
            if envelope.id in self._hurt and isinstance(outcome, str):
                self._hurt.discard(envelope.id)
                self._note(envelope, outcome)
        await self._repeat(apply, rest[: self.duplicating])
        return outcomes

    async def _repeat(self, apply: Apply, envelopes: Sequence[AnyEnvelope]) -> None:
        self.duplicating -= len(envelopes)
        if envelopes:
            for envelope, outcome in zip(envelopes, await apply(envelopes), strict=True):
                self._note(envelope, f"came twice: {outcome}")

    async def _wait(self) -> None:
        while until := self.paused_until:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._resumed.wait(), (until - now()).total_seconds())
        self._paused_until = None

    def _note(self, envelope: AnyEnvelope, did: str) -> None:
        self.happened.appendleft(Happened(now(), envelope.id, envelope.type, did))

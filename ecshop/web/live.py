"""Pages that move: server-sent events (HTML, section 9.2), few enough, and gone when the server stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final
from uuid import UUID

from litestar.response import Stream

from ecshop.kernel.deadline import deadline
from ecshop.kernel.errors import Aborted
from ecshop.web.visitor import Visitor

_NOBODY: Final = UUID(int=0)
_MOST: Final = 500
_MOST_OF_ONE: Final = 10
_LOOK_EVERY: Final = 0.5  # seconds
_HEARTBEAT_EVERY: Final = 5.0  # seconds, which is less than a gateway waits
_LONGEST: Final = 600.0
"""Seconds after which a stream ends and its page connects again."""
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Streams:
    """Those that are open in this process, by whose they are; all of them end when it is `stopping`."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping, self._open = stopping, Counter[UUID]()

    async def ticks(self) -> AsyncIterator[None]:
        """A moment to look again, now and then, until the stream is old or the process stops."""
        until = asyncio.get_running_loop().time() + _LONGEST
        while asyncio.get_running_loop().time() < until and not self._stopping.is_set():
            yield
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _LOOK_EVERY)

    def answer(self, visitor: Visitor, told: AsyncIterator[tuple[str, str]]) -> Stream:
        """`told` are events and their data; one without a name is for the page itself.

        Raises `Aborted` where too many are open, of all or of this one.
        """
        of = visitor.actor.user_id if visitor.actor else _NOBODY
        if self._open.total() >= _MOST or self._open[of] >= _MOST_OF_ONE:
            raise Aborted("too many pages are open; this one does not move for now")
        deadline.get().lift()
        written = self._written(of, told)
        return Stream(written, media_type="text/event-stream", headers=_HEADERS, cookies=visitor.cookies)

    async def _written(self, of: UUID, told: AsyncIterator[tuple[str, str]]) -> AsyncIterator[bytes]:
        self._open[of] += 1
        try:
            async for event, data in _with_heartbeats(told):
                lines = [f"event: {event}"] if event else []
                lines += [f"data: {line}" for line in data.splitlines() if line] or (
                    ["data:"] if event else [": alive"]
                )
                yield ("\n".join(lines) + "\n\n").encode()
        finally:
            self._open[of] -= 1
            self._open += Counter()  # which leaves out those that have none


async def _with_heartbeats(told: AsyncIterator[tuple[str, str]]) -> AsyncIterator[tuple[str, str]]:
    """Something now and then, so that whoever has gone is noticed, and no proxy takes the stream for dead."""
    waiting: asyncio.Task[tuple[str, str]] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(told))
            done, _ = await asyncio.wait([waiting], timeout=_HEARTBEAT_EVERY)
            if not done:
                yield "", ""
                continue
            try:
                yield waiting.result()
            except StopAsyncIteration:
                return
            waiting = None
    finally:
        if waiting is not None:
            waiting.cancel()

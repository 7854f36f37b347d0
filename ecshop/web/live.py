"""Pages that move: server-sent events (HTML, section 9.2), few enough, and gone when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from litestar import Request
from litestar.response import Stream

from ecshop.kernel.deadline import deadline
from ecshop.kernel.errors import Aborted

_MOST: Final = 500
_LOOK_EVERY: Final = 0.5  # seconds
_HEARTBEAT_EVERY: Final = 15.0  # seconds
_LONGEST: Final = 600.0
"""Seconds after which a stream ends and its page connects again: then it is asked anew who that is."""
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Streams:
    """Those that are open in this process; all of them end when it is `stopping`."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping, self.open = stopping, 0

    async def ticks(self) -> AsyncIterator[None]:
        """A moment to look again, now and then, until the stream is old or the process stops."""
        until = asyncio.get_running_loop().time() + _LONGEST
        while asyncio.get_running_loop().time() < until and not self._stopping.is_set():
            yield
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _LOOK_EVERY)

    def answer(self, request: Request[Any, Any, Any], told: AsyncIterator[tuple[str, str]]) -> Stream:
        """`told` are events and their data; one without a name is for the page itself.

        Raises `Aborted` where too many are open.
        """
        if self.open >= _MOST:
            raise Aborted("too many pages are open; this one does not move for now")
        deadline.get().lift()
        return Stream(self._written(told), media_type="text/event-stream", headers=_HEADERS)

    async def _written(self, told: AsyncIterator[tuple[str, str]]) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            async for event, data in _with_heartbeats(told):
                lines = [f"event: {event}"] if event else []
                lines += [f"data: {line}" for line in data.splitlines() if line] or (
                    ["data:"] if event else [": alive"]
                )
                yield ("\n".join(lines) + "\n\n").encode()
        finally:
            self.open -= 1


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

"""Pages that move: server-sent events (HTML, section 9.2), few enough, and gone when the server stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Final

from litestar.response import Stream

from ecshop.kernel.deadline import deadline
from ecshop.kernel.errors import Aborted
from ecshop.web.visitor import Visitor

MOST: Final = 500
_MOST_OF_ONE: Final = 10
_MOST_OF_STRANGERS: Final = 100
"""At one address, which many may share."""
_HEARTBEAT_EVERY: Final = 5.0  # seconds, which is less than a gateway waits
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Streams:
    """Those that are open in this process, by whose they are."""

    def __init__(self) -> None:
        self._open = Counter[object]()

    def answer(self, visitor: Visitor, told: AsyncIterator[tuple[str, str]]) -> Stream:
        """`told` are events and their data; one without a name is for the page itself.

        Raises `Aborted` where too many are open, of all or of this one.
        """
        actor = visitor.actor
        of, most = (actor.user_id, _MOST_OF_ONE) if actor else (visitor.client.address, _MOST_OF_STRANGERS)
        if self._open.total() >= MOST or self._open[of] >= most:
            raise Aborted("too many pages are open; this one does not move for now")
        deadline.get().lift()
        written = self._written(of, told)
        return Stream(written, media_type="text/event-stream", headers=_HEADERS, cookies=visitor.cookies)

    async def _written(self, of: object, told: AsyncIterator[tuple[str, str]]) -> AsyncIterator[bytes]:
        self._open[of] += 1
        try:
            async for event, data in _with_heartbeats(told):
                yield _framed(event, data)
        finally:
            self._open[of] -= 1
            self._open += Counter()  # which leaves out those that have none


@lru_cache(maxsize=16)
def _framed(event: str, data: str) -> bytes:
    """Remembered, since what many pages show alike is written for all of them."""
    lines = [f"event: {event}"] if event else []
    lines += [f"data: {line}" for line in data.splitlines() if line] or (["data:"] if event else [": alive"])
    return ("\n".join(lines) + "\n\n").encode()


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

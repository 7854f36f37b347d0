"""Pages that move: server-sent events (HTML, section 9.2), few enough, and gone when the server stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from litestar import Response
from litestar.response import Stream

from ecshop.kernel.deadline import deadline
from ecshop.kernel.errors import Aborted
from ecshop.web.visitor import Visitor

MOST: Final = 500
_MOST_OF_ONE: Final = 10
_MOST_OF_STRANGERS: Final = 100
"""At one address, which many may share."""
_MEDIA_TYPE: Final = "text/event-stream"
_HEARTBEAT_EVERY: Final = 5.0  # seconds, which is less than a gateway waits
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Streams:
    """Those that are open in this process, by whose they are."""

    def __init__(self, write: Callable[..., str]) -> None:
        """`write` makes HTML for a visitor, of a template and what it shows."""
        self._open, self._write = Counter[object](), write
        self._moves: dict[str, bytes] = {}

    def answer(self, visitor: Visitor, told: AsyncIterator[tuple[str, str]]) -> Stream:
        """`told` are events and their data; one without a name is for the page itself, with all that moves of it.

        A page that comes back and has missed nothing hears nothing twice (HTML, section 9.2.4, Last-Event-ID).
        Raises `Aborted` where too many are open, of all or of this one.
        """
        actor = visitor.actor
        of, most = (actor.user_id, _MOST_OF_ONE) if actor else (visitor.client.address, _MOST_OF_STRANGERS)
        if self._open.total() >= MOST or self._open[of] >= most:
            raise Aborted("too many pages are open; this one does not move for now")
        deadline.get().lift()
        written = self._written(of, visitor, told)
        return Stream(written, media_type=_MEDIA_TYPE, headers=_HEADERS, cookies=visitor.cookies)

    def refuse(self, visitor: Visitor, status: int, says: str, link: str, label: str) -> Response[bytes]:
        """A page stays as it is, and says that it does not move, and what to do."""
        told = self._state(visitor, says, link, label) + _framed("done", "")
        return Response(told, status_code=status, media_type=_MEDIA_TYPE, headers=_HEADERS, cookies=visitor.cookies)

    async def _written(
        self, of: object, visitor: Visitor, told: AsyncIterator[tuple[str, str]]
    ) -> AsyncIterator[bytes]:
        self._open[of] += 1
        event, seen = "", visitor.last_event_id
        try:
            async for event, data in _with_heartbeats(told):
                id_ = _id_of(data) if data and not event else ""
                if not (event or data) or (id_ and id_ == seen):
                    yield self._heartbeat(visitor)
                else:
                    yield _framed(event, data, id_)
                seen = "" if data else seen
            if event != "done":
                yield self._state(visitor, visitor.words("Connecting again"))
        finally:
            self._open[of] -= 1
            self._open += Counter()  # which leaves out those that have none

    def _heartbeat(self, visitor: Visitor) -> bytes:
        """Written once for all who speak a language: every page hears it every few seconds."""
        language = visitor.words.language
        if language not in self._moves:
            self._moves[language] = self._state(visitor)
        return self._moves[language]

    def _state(self, visitor: Visitor, says: str = "", link: str = "", label: str = "") -> bytes:
        """What keeps it from moving; else that it moves, which the page believes for as long as a few heartbeats."""
        return _framed("", self._write(visitor, "live_state.html", says=says, link=link, label=label))


def _id_of(data: str) -> str:
    return blake2b(data.encode(), digest_size=9).hexdigest()


@lru_cache(maxsize=16)
def _framed(event: str, data: str, id_: str = "") -> bytes:
    """Remembered, since what many pages show alike is written for all of them."""
    lines = [f"event: {event}"] if event else []
    lines += [f"data: {line}" for line in data.splitlines() if line] or ["data:"]
    lines += [f"id: {id_}"] if id_ else []
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

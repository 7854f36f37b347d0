"""Pages of the console that move: written anew, and told when something on them has changed."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.web.site import Site

_WRITTEN_EVERY: Final = 1.0  # seconds
_SHARE: Final = 0.01
"""Of the time, that goes into one kind of page: while the shop has much to do, it is written less often."""
_WRITTEN_LATEST: Final = 5.0  # seconds
_TOLD_A_SECOND: Final = 50
"""Pages, of all that are open."""


async def moving(
    site: Site, actor: Actor, looks: AsyncIterator[Any], write: Callable[[], Awaitable[tuple[str, bool]]]
) -> AsyncIterator[tuple[str, str]]:
    """`write` gives what the page shows now, and whether that was the last of it.

    Whoever is signed out meanwhile hears no more; the page asks again, and is told so.
    """
    seen = ""
    with suppress(EcshopError):
        async for _ in looks:
            await site.verifier.actor(actor.token)
            shown, is_over = await write()
            if shown != seen:
                seen = shown
                yield "", shown
            if is_over:
                yield "done", ""
                return


class Board:
    """What every page of one kind and language shows alike, without forms: written once for all of them."""

    def __init__(self, stopping: asyncio.Event, time: Callable[[], float] = time.monotonic) -> None:
        self._stopping, self._time, self._open = stopping, time, 0
        self._turn = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._written: dict[str, tuple[float, str]] = {}

    async def moving(
        self, site: Site, actor: Actor, place: str, write: Callable[[], Awaitable[str]]
    ) -> AsyncIterator[tuple[str, str]]:
        """As `moving`, without an end."""

        async def written() -> tuple[str, bool]:
            return await self.written(place, write), False

        async for told in moving(site, actor, self.ticks(place), written):
            yield told

    async def ticks(self, place: str) -> AsyncIterator[None]:
        """A moment to look again, when this is due to be written, or later where many look; until the process stops."""
        self._open += 1
        try:
            while not self._stopping.is_set():
                yield
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), max(self._due_in(place), self._open / _TOLD_A_SECOND))
        finally:
            self._open -= 1

    def _due_in(self, place: str) -> float:
        return self._written[place][0] - self._time() if place in self._written else _WRITTEN_EVERY

    async def written(self, place: str, write: Callable[[], Awaitable[str]]) -> str:
        """Anew once a second at most, and less often where writing takes long."""
        async with self._turn[place]:
            until, text = self._written.get(place, (0.0, ""))
            began = self._time()
            if began >= until:
                text = await write()
                pause = max(_WRITTEN_EVERY, (self._time() - began) / _SHARE)
                self._written[place] = began + min(pause, _WRITTEN_LATEST), text
            return text

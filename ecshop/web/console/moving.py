"""Pages of the console that move: written anew, and told when something on them has changed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.web.site import Site

_WRITTEN_EVERY: Final = 1.0  # seconds
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
    """What every page of one kind and language shows alike, without forms: written once a second for all of them."""

    def __init__(self, stopping: asyncio.Event) -> None:
        self._stopping, self._open = stopping, 0
        self._turn = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._written: dict[str, tuple[float, str]] = {}

    async def moving(
        self, site: Site, actor: Actor, place: str, write: Callable[[], Awaitable[str]]
    ) -> AsyncIterator[tuple[str, str]]:
        """As `moving`, without an end."""

        async def written() -> tuple[str, bool]:
            return await self._once(place, write), False

        async for told in moving(site, actor, self.ticks(), written):
            yield told

    async def ticks(self) -> AsyncIterator[None]:
        """A moment to look again, once a second, or less often where many look; until the process stops."""
        self._open += 1
        try:
            while not self._stopping.is_set():
                yield
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), max(_WRITTEN_EVERY, self._open / _TOLD_A_SECOND))
        finally:
            self._open -= 1

    async def _once(self, place: str, write: Callable[[], Awaitable[str]]) -> str:
        async with self._turn[place]:
            at, text = self._written.get(place, (0.0, ""))
            moment = asyncio.get_running_loop().time()
            if not text or moment - at >= _WRITTEN_EVERY:
                text = await write()
                self._written[place] = moment, text
            return text

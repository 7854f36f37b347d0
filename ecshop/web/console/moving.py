"""Pages of the console that move: written anew, and told when something on them has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.web.live import Streams
from ecshop.web.site import Site


async def moving(
    site: Site, actor: Actor, streams: Streams, write: Callable[[], Awaitable[tuple[str, bool]]]
) -> AsyncIterator[tuple[str, str]]:
    """`write` gives what the page shows now, and whether that was the last of it.

    Whoever is signed out meanwhile hears no more; the page asks again, and is led to the sign-in.
    """
    seen = ""
    with suppress(EcshopError):
        async for _ in streams.ticks():
            await site.verifier.actor(actor.token)
            shown, is_over = await write()
            if shown != seen:
                seen = shown
                yield "", shown
            if is_over:
                yield "done", ""
                return

"""Waiting for what happens in the background: as short as it takes, and never for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

DEADLINE = 10.0


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = DEADLINE) -> None:
    """Return as soon as it holds; fail when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.01)

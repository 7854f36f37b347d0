"""Waiting for what happens in the background: as short as it takes, and never for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

from bench.patient import PATIENCE

DEADLINE = float(PATIENCE)  # seconds
_SHORTEST, _LONGEST, _GROWTH = 0.01, 0.1, 1.3
"""Of the pauses between two looks: who waits for long takes nothing from those who work."""


def eventually(look: Callable[[], object], wanted: object, *, seconds: float = DEADLINE) -> None:
    """Wait until `look` sees what is wanted; fails with what it saw last."""
    goes_on, pauses = _until(wanted, seconds), _pauses()
    while goes_on(look()):
        time.sleep(next(pauses))


async def eventually_async(look: Callable[[], Awaitable[object]], wanted: object, *, seconds: float = DEADLINE) -> None:
    """The same for a look that has to be awaited."""
    goes_on, pauses = _until(wanted, seconds), _pauses()
    while goes_on(await look()):
        await asyncio.sleep(next(pauses))


def _pauses() -> Iterator[float]:
    pause = _SHORTEST
    while True:
        yield pause
        pause = min(_LONGEST, pause * _GROWTH)


def _until(wanted: object, seconds: float) -> Callable[[object], bool]:
    """Whether the waiting goes on after this was seen."""
    deadline = time.monotonic() + seconds

    def goes_on(seen: object) -> bool:
        if seen == wanted:
            return False
        assert time.monotonic() < deadline, f"after {seconds:g} seconds it is still {seen!r} instead of {wanted!r}"
        return True

    return goes_on

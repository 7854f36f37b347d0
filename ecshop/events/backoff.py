"""The one loop of everything that works in the background and depends on something that may be away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from ecshop.kernel.errors import Unavailable
from ecshop.kernel.telemetry.troubles import in_trouble, well_again

log = structlog.get_logger("events")

_SHORTEST: Final = 0.05  # seconds
_LONGEST: Final = 2.0


async def repeat(step: Callable[[], Awaitable[None]], who: str) -> None:
    """Do the step again and again until cancelled, more and more slowly while it fails.

    `Unavailable` is said in a word, and again only when it has another reason; any other error is a bug, and each is
    said with its traceback.
    """
    pause, said = 0.0, ""
    while not is_cancelled():
        try:
            await step()
        except Exception as cause:
            if not isinstance(cause, Unavailable):
                log.error("failed; will be tried again", who=who, exc_info=cause)
            elif cause.detail != said:
                said = cause.detail
                log.warning("waiting until it answers; nothing is lost", who=who, error=said)
            in_trouble(who, cause.detail if isinstance(cause, Unavailable) else f"{type(cause).__name__}; see the log")
            pause = min(_LONGEST, pause * 2 or _SHORTEST)
            await asyncio.sleep(pause)
        else:
            if pause:
                log.info("going on", who=who)
                well_again(who)
            pause, said = 0.0, ""


def is_cancelled() -> bool:
    """Whether this task has been asked to stop; redis-py may swallow the request where it meets an answer."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

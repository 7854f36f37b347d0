"""How a process is asked to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

LAST_STOP: Final = 6  # seconds after which a process that was asked to stop is gone, whatever it hangs in
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def stop_signal(*, within: int = 0) -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM from now on; what has not ended `within` so many seconds is ended."""
    stop = asyncio.Event()

    def set_() -> None:
        if not stop.is_set():
            stop.set()
            signal.alarm(within)

    for one in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(one, set_)
    return stop

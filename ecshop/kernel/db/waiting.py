"""What waits for the threads of a lane, and which of them takes it."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ecshop.kernel.db.transaction import Work


class Waiting:
    """One thread takes all that there is; another one joins when nobody has come for more within `joins_after` seconds.

    So what comes up meanwhile is done together, and no transaction holds up the others for long. With 0 seconds each
    thread that is free takes what comes.
    """

    def __init__(self, threads: int, joins_after: float) -> None:
        self._threads, self._joins_after = threads, joins_after
        self._lock = threading.Lock()
        self._works: list[Work] = []
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._active = threads
        """Threads at work, with those that are called: each of them comes for more before it waits for a call."""
        self._taken_at = time.monotonic()
        self._join: asyncio.TimerHandle | None = None
        self._ended = False

    def put(self, works: Sequence[Work]) -> None:
        """In the event loop."""
        with self._lock:
            self._works += works
            somebody_comes = self._active > 0
        if not somebody_comes:
            self._call()
        elif self._join is None:
            self._call_if_nobody_comes()

    def put_back(self, works: Sequence[Work]) -> None:
        """For another thread to take."""
        with self._lock:
            self._works += works
        self._call()

    def take(self, timeout: float | None) -> list[Work] | None:
        """All that there is; nothing when nothing comes for a while, None after the end."""
        with self._lock:
            works = self._drain()
            if works:
                return works
            self._active -= 1
        if self._ended:
            return None
        try:
            self._calls.get(timeout=timeout)
        except queue.Empty:
            with self._lock:
                self._active += 1
            return works
        return self.drain() or (None if self._ended else works)

    def drain(self) -> list[Work]:
        with self._lock:
            return self._drain()

    @contextmanager
    def left_to_others(self) -> Iterator[None]:
        """This thread takes nothing meanwhile."""
        with self._lock:
            self._active -= 1
        self._call()
        try:
            yield
        finally:
            with self._lock:
                self._active += 1

    def end(self) -> None:
        """What waits is taken still."""
        self._ended = True
        for _ in range(self._threads):
            self._calls.put(None)

    def _call(self) -> None:
        """One more thread, if there is work, and one that is free."""
        with self._lock:
            if not self._works or self._active >= self._threads:
                return
            self._active += 1
        self._calls.put(None)

    def _drain(self) -> list[Work]:
        works, self._works = self._works, []
        if works:
            self._taken_at = time.monotonic()
        return works

    def _call_if_nobody_comes(self) -> None:
        self._join = None
        left = self._taken_at + self._joins_after - time.monotonic()
        if left <= 0:
            self._call()
        elif self._works:
            self._join = asyncio.get_running_loop().call_later(left, self._call_if_nobody_comes)

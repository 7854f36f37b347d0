"""Writes log lines in a thread of its own: a full disk, or a reader that stalls or goes away, costs lines only."""

from __future__ import annotations

import atexit
import threading
from collections import deque
from contextlib import suppress
from io import RawIOBase
from typing import IO, Final

_MOST: Final = 50_000
"""Lines that wait at most; what comes beyond is dropped, and counted."""
_GATHER: Final = 0.01  # seconds in which lines come together for one write
_FAREWELL: Final = 2.0  # seconds that the last lines have when the process ends


class LogWriter:
    """Looks like a file to those who log; each `write` is whole lines.

    `output` is unbuffered: a thread that is stuck in a buffer would keep the process from ending.
    """

    def __init__(self, output: IO[bytes] | RawIOBase) -> None:
        self._output = output
        self._waiting: deque[str | bytes] = deque()
        self._wake, self._ended = threading.Event(), False
        self._dropped = 0
        self._thread = threading.Thread(target=self._work, name="log writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, lines: str | bytes) -> None:
        if len(self._waiting) >= _MOST:
            self._dropped += 1
            return
        self._waiting.append(lines)
        if not self._wake.is_set():
            self._wake.set()

    def flush(self) -> None:
        """The thread does it."""

    def close(self) -> None:
        """Write what waits, unless that takes too long."""
        self._ended = True
        self._wake.set()
        self._thread.join(_FAREWELL)
        atexit.unregister(self.close)

    def _work(self) -> None:
        while not self._ended or self._waiting:
            self._wake.wait()
            self._wake.clear()
            if not self._ended:
                threading.Event().wait(_GATHER)
            self._write_all()

    def _write_all(self) -> None:
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            lines.append(f"{dropped} log lines were dropped: nobody took them\n")
        with suppress(OSError, ValueError):
            self._output.write(b"".join(line.encode() if isinstance(line, str) else line for line in lines))
            self._output.flush()

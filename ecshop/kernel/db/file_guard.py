"""The files of a SQLite database under a running shop, and what became of them while it rested.

What is written to a file that was deleted or replaced would exist nowhere; a server whose lock file is gone may not be
the only one; and a write-ahead log that is removed takes the last commits along.
"""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import URL

from ecshop.kernel.errors import Aborted

log = structlog.get_logger("database")

_OPEN: Final = " open"
"""What stands in a lock file, after the process id, from the opening of its database to the end of its owner."""

_TOUCH_EVERY: Final = 0.05  # seconds

Inode = tuple[int, int]


class FileGuard:
    """Knows files by their device and inode (stat(2)); of any other database it knows nothing, and is content."""

    def __init__(self, url: URL) -> None:
        on_sqlite = url.get_backend_name() == "sqlite" and bool(url.database)
        self._files = [Path(f"{url.database}{suffix}") for suffix in ("", ".lock")] if on_sqlite else []
        self._known: list[tuple[str, Inode | None]] = []
        self._said = False
        self._touched = -math.inf

    def has_lost_its_log(self) -> bool:
        """Whether its last owner was killed, and its log is gone without having been folded into the file since.

        To be asked before the file is owned again. While it is open the lock file is touched all the time, so that a
        file which was written later has got the log by somebody else, as by `sqlite3`.
        """
        if not self._files or not all(file.exists() for file in self._files):
            return False
        file, lock = self._files
        was_open = lock.read_text().endswith(_OPEN)
        is_older = file.stat().st_mtime_ns < lock.stat().st_mtime_ns
        return was_open and is_older and not Path(f"{file}-wal").exists()

    def remember(self) -> None:
        """From now on the files that are there are the right ones."""
        for lock in self._files[1:]:
            with lock.open("a") as opened:
                opened.write(_OPEN)
        self._known = [(str(file), _inode(str(file))) for file in self._files]

    def check(self) -> None:
        """Raises `Aborted` when a file is gone, or another one is in its place. Asked before each transaction."""
        if not self._known:
            return
        database, *lock = self._known
        self._compare(*database)
        if time.monotonic() > self._touched + _TOUCH_EVERY:
            for file, inode in lock:
                self._compare(file, inode)
                with suppress(OSError):
                    os.utime(file)
            self._touched = time.monotonic()

    def _compare(self, file: str, known: Inode | None) -> None:
        if _inode(file) != known:
            self._say(file)
            raise Aborted("a database of the shop is gone; its operator has to bring it back")

    def _say(self, file: str) -> None:
        if not self._said:
            self._said = True
            log.error("a file was deleted or replaced; stop the shop, bring it back", file=file)


def _inode(file: str) -> Inode | None:
    """Asked before each transaction: `pathlib` takes three times as long."""
    try:
        found = os.stat(file)  # noqa: PTH116 - as the docstring says
    except OSError:
        return None
    return found.st_dev, found.st_ino

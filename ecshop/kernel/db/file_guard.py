"""A database file that is deleted or replaced under a running shop: what is written to it then would exist nowhere."""

from __future__ import annotations

from pathlib import Path

import structlog
from sqlalchemy import URL

from ecshop.kernel.errors import Aborted

log = structlog.get_logger("database")


class FileGuard:
    """Knows a SQLite file by its device and inode (stat(2)); of any other database it knows nothing, and is content."""

    def __init__(self, url: URL) -> None:
        self._file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
        self._known: tuple[int, int] | None = None
        self._said = False

    def remember(self) -> None:
        """From now on the file that is there is the right one."""
        self._known = self._found()

    def check(self) -> None:
        """Raises `Aborted` when the file is gone, or another one is in its place."""
        if self._known is None or self._found() == self._known:
            return
        if not self._said:
            self._said = True
            log.error("the database file was deleted or replaced; stop the shop, bring it back", file=str(self._file))
        raise Aborted("a database of the shop is gone; its operator has to bring it back")

    def _found(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

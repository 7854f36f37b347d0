"""One server a file: a lock that the kernel keeps, and drops when its last holder is gone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from ecshop.kernel.errors import EcshopError


class FileInUse(EcshopError, code="file.in_use", status=503):
    """Another server owns this file; two writing servers on one file could corrupt it."""


class FileUnusable(EcshopError, code="file.unusable", status=503):
    """A file or folder of the shop's data cannot be read or written."""

    @classmethod
    def by(cls, cause: OSError, path: Path) -> Self:
        return cls(f"{path} cannot be used: {cause.strerror or cause}; mend that, or choose another --data-dir")


@contextmanager
def file_lock(file: Path) -> Iterator[int]:
    """Own a file of the data folder; gives the descriptor of the lock, which a child process may inherit.

    The lock file holds the owner's process id until it ends in peace.

    Raises `FileInUse` when another process owns it, `FileUnusable` when its folder cannot be written.
    """
    name = Path(f"{file}.lock")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = name.open("a+")
    except OSError as cause:
        raise FileUnusable.by(cause, name) from cause
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = next(iter(lock.read().split()), "unknown")
            raise FileInUse(
                f"{file} is in use by the server with process id {owner} or by what it left running; "
                "stop that, or choose another --data-dir"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock.fileno()
        lock.truncate(0)

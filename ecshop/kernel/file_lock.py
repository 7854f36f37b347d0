"""One server a file: a lock that the kernel keeps, and drops when its last holder is gone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from ecshop.kernel.errors import EcshopError

_PROCESSES: Final = Path("/proc")
"""Of Linux."""


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
    name = lock_of(file)
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
                "`python -m ecshop stop` ends that; or choose another --data-dir"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock.fileno()
        lock.truncate(0)


def lock_of(file: Path) -> Path:
    return Path(f"{file}.lock")


def is_locked(file: Path) -> bool:
    """Whether any process owns the file."""
    try:
        opened = lock_of(file).open()
    except FileNotFoundError:
        return False
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def owners(file: Path) -> Sequence[int]:
    """The ids of the processes that hold the lock, by themselves or by inheritance, as far as they can be seen.

    The kernel says so, and not the id in the file: that one's process may be gone, and its id another's by now. Only
    Linux tells.
    """
    try:
        wanted = lock_of(file).stat()
    except FileNotFoundError:
        return []
    same = (wanted.st_dev, wanted.st_ino)
    return [int(one.name) for one in _PROCESSES.glob("[0-9]*") if _holds(one, same)]


def _holds(process: Path, lock: tuple[int, int]) -> bool:
    try:
        for descriptor in (process / "fd").iterdir():
            found = descriptor.stat()
            if (found.st_dev, found.st_ino) == lock:
                return "FLOCK" in (process / "fdinfo" / descriptor.name).read_text()
    except OSError:  # it has ended, or is another user's
        pass
    return False

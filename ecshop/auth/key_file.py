"""The signing key in a file of its own, made on the first start: where the shop's data is a folder."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from tempfile import mkstemp
from typing import Final

import structlog

from ecshop.auth.keys import SigningKey, SigningKeyUnusable, new_key, read_key, tell_of_change
from ecshop.kernel.file_lock import FileUnusable

log = structlog.get_logger("auth")

FILE: Final = "signing-key.pem"
_LOOK_EVERY: Final = 0.5  # seconds


def signing_key_in(folder: Path) -> SigningKey:
    """The folder's key, made if there is none yet; only its owner can read it.

    Raises `SigningKeyUnusable`, or `FileUnusable` for a folder that cannot be read or written.
    """
    file = folder / FILE
    try:
        if not file.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(file, new_key())
        return _read(file)
    except OSError as cause:
        raise FileUnusable.by(cause, file) from cause


def replace_signing_key(folder: Path) -> SigningKey:
    """A new key in the place of the folder's own: tokens of the old one are good no longer. Raises `FileUnusable`."""
    take_signing_key(folder, new_key())
    return signing_key_in(folder)


def take_signing_key(folder: Path, pem: bytes) -> None:
    """For the folder's own, from elsewhere. Raises `FileUnusable`."""
    file = folder / FILE
    try:
        _draft(file, pem).replace(file)
        _sync_folder(folder)
    except OSError as cause:
        raise FileUnusable.by(cause, file) from cause


class KeyOfFolder:
    """Satisfies `KeyInUse`. Without a file the last key stays in use."""

    def __init__(self, folder: Path) -> None:
        """Raises `SigningKeyUnusable` or `FileUnusable`."""
        self._folder = folder
        self._key, self._known = signing_key_in(folder), _identity(folder / FILE)

    async def current(self) -> SigningKey:
        return self._key

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            found = _identity(self._folder / FILE)
            if found != self._known:
                self._known = found
                self._take_over()

    def _take_over(self) -> None:
        try:
            before, self._key = self._key, _read(self._folder / FILE)
        except (OSError, SigningKeyUnusable) as cause:
            log.error("the signing key cannot be read; the last one stays in use", error=str(cause))
        else:
            tell_of_change(before, self._key)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read(file: Path) -> SigningKey:
    key = read_key(file.read_bytes(), file)
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SigningKeyUnusable(
            f"{file} can be read by others, who may sign by it: chmod go= {file}, and where others have been at it, "
            "`ecshop keys revoke` puts a new key in its place"
        )
    return key


def _write(file: Path, pem: bytes) -> None:
    """The first of two writers wins."""
    draft = _draft(file, pem)
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    _sync_folder(file.parent)


def _draft(file: Path, pem: bytes) -> Path:
    """Under another name first, so that nobody ever reads half a key."""
    descriptor, name = mkstemp(prefix=f"{file.stem}.", dir=file.parent)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(pem)
        opened.flush()
        os.fsync(opened.fileno())
    return Path(name)


def _sync_folder(folder: Path) -> None:
    """A name in a folder outlives a power failure only when the folder is written too (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

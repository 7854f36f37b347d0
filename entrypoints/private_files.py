"""The shop's files are its owner's alone: they have names and orders of people in them, and a key."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import structlog

from ecshop.kernel.file_lock import FileUnusable
from entrypoints.identity import FILE
from entrypoints.settings import Settings

log = structlog.get_logger("files")

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def close_to_others(settings: Settings, contexts: Iterable[str]) -> None:
    """Those that are there already, of these contexts. Raises `FileUnusable` for one that is somebody else's."""
    closed = [file.name for file in _files_of(settings.folder, contexts) if _was_open(file)]
    if closed:
        log.warning("others could read files of the shop; now they cannot", files=closed)


def _was_open(file: Path) -> bool:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & _OTHERS:
            file.chmod(mode & ~_OTHERS)
    except FileNotFoundError:  # a log of changes goes when the last one has closed its database
        return False
    except OSError as cause:
        raise FileUnusable(f"{file} can be read by others, and is not ours to close: chmod go= {file}") from cause
    return bool(mode & _OTHERS)


def _files_of(folder: Path, contexts: Iterable[str]) -> list[Path]:
    ours = (*(f"{name}.db*" for name in contexts), f"{FILE}*")
    return [file for pattern in ours for file in folder.glob(pattern)]

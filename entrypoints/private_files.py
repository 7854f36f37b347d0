"""The shop's files are its owner's alone: they have names and orders of people in them, and a key."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import structlog

from ecshop.kernel.file_lock import FileUnusable
from entrypoints.contexts import NAMES
from entrypoints.identity import FILE
from entrypoints.settings import Settings

log = structlog.get_logger("files")

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def make_none_for_others() -> None:
    """Whatever this process makes from now on."""
    os.umask(_OTHERS)


def close_to_others(settings: Settings) -> None:
    """Those that are there already. Raises `FileUnusable` for one that is somebody else's."""
    opened = [file for file in _files_of(settings.folder) if file.stat().st_mode & _OTHERS]
    for file in opened:
        try:
            file.chmod(stat.S_IMODE(file.stat().st_mode) & ~_OTHERS)
        except OSError as cause:
            raise FileUnusable(f"{file} can be read by others, and is not ours to close: chmod go= {file}") from cause
    if opened:
        log.warning("others could read files of the shop; now they cannot", files=[file.name for file in opened])


def _files_of(folder: Path) -> list[Path]:
    ours = (*(f"{name}.db*" for name in NAMES), f"{FILE}*")
    return [file for pattern in ours for file in folder.glob(pattern) if file.is_file()]

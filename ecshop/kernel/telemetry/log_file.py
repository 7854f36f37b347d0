"""A file in which a process keeps its log lines: of bounded size, and beside it the one before."""

from __future__ import annotations

import os
from io import RawIOBase
from pathlib import Path
from typing import Any, Final

MOST: Final = 32 * 2**20
"""Bytes of one file."""


class LogFile(RawIOBase):
    def __init__(self, path: Path, most: int = MOST) -> None:
        self._path, self._most = path, most
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _opened(path)

    def write(self, lines: Any) -> Any:
        if self._file.tell() + len(lines) > self._most:
            self._file.close()
            self._path.replace(before(self._path))
            self._file = _opened(self._path)
        return self._file.write(lines)

    def close(self) -> None:
        self._file.close()
        super().close()


def before(path: Path) -> Path:
    """Where the lines are that were written before those in this file."""
    return path.with_name(f"{path.name}.1")


def _opened(path: Path) -> Any:
    return open(path, "ab", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600))

"""Long work says how far it is, how fast, and how long it will take."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

_EVERY, _BEGIN, _END = (0.5, "\r\x1b[K", "") if sys.stderr.isatty() else (15.0, "", "\n")
"""Seconds between two lines, and what a line begins and ends with."""


class Progress:
    """A line on standard error; on a terminal it is written over and over."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._began = self._said = time.monotonic()

    def step(self, by: int = 1) -> None:
        self._done += by
        if time.monotonic() - self._said > _EVERY:
            self._say()

    def end(self) -> None:
        self._say()
        print(end="" if _END else "\n", file=sys.stderr, flush=True)

    def _say(self) -> None:
        self._said = time.monotonic()
        rate = self._done / (self._said - self._began)
        left = timedelta(seconds=round((self._total - self._done) / rate)) if rate else "?"
        line = f"{self._what}: {self._done:,} of {self._total:,}, {rate:,.0f}/s, {left} left"
        print(f"{_BEGIN}{line}", end=_END, file=sys.stderr, flush=True)


def say(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr, flush=True)

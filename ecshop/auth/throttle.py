"""How often something may be tried: whoever guesses has to wait longer each time, and nobody is locked out for good."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

_MOST_KEPT: Final = 100_000
_FORGOTTEN_AFTER: Final = 2
"""Times the longest pause, without another attempt."""


class _Attempts(NamedTuple):
    number: int
    next_at: float


class Throttle:
    """So many attempts on the same are `free`; then each waits twice as long as the one before it, a second at first.

    It is kept in the memory of one process: a replica counts for itself, and a new one begins anew.
    """

    def __init__(self, free: int, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        """No pause is longer than `longest` seconds."""
        self._free, self._longest, self._clock = free, longest, clock
        self._attempts: OrderedDict[str, _Attempts] = OrderedDict()

    def take(self, key: str) -> float:
        """Begin an attempt, also where others have begun and not ended; else the seconds to wait before one."""
        moment = self._clock()
        number, next_at = self._attempts.get(key, _Attempts(0, 0.0))
        if moment < next_at:
            return next_at - moment
        if moment > next_at + _FORGOTTEN_AFTER * self._longest:
            number = 0
        number += 1
        doubled = number - self._free
        pause = 0.0 if doubled < 0 else min(self._longest, math.ldexp(1, min(doubled, 32)))
        self._attempts[key] = _Attempts(number, moment + pause)
        self._attempts.move_to_end(key)
        if len(self._attempts) > _MOST_KEPT:
            self._attempts.popitem(last=False)
        return 0.0

    def give_back(self, key: str) -> None:
        """An attempt was none."""
        number, next_at = self._attempts.get(key, _Attempts(1, 0.0))
        until = next_at if number > self._free else self._clock()
        self._attempts[key] = _Attempts(max(0, number - 1), until)

    def forget(self, key: str) -> None:
        self._attempts.pop(key, None)

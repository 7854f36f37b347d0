"""How long whoever asked for something waits for its answer: nothing is begun for those who wait no more."""

from __future__ import annotations

import math
import time
from contextvars import ContextVar
from typing import Final


class Deadline:
    """A moment of `time.monotonic`; it comes earlier when whoever waits goes away."""

    __slots__ = ("ends",)

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; negative when it has passed."""
        return self.ends - time.monotonic()

    def shorten(self, seconds: float) -> None:
        """Leave no more than that."""
        self.ends = min(self.ends, time.monotonic() + seconds)

    def lift(self) -> None:
        """Of what goes on for as long as somebody listens."""
        self.ends = math.inf

    def give_up(self) -> None:
        self.ends = -math.inf


FOREVER: Final = Deadline(math.inf)
"""That of background work, which waits as long as it takes."""

deadline: Final[ContextVar[Deadline]] = ContextVar("deadline", default=FOREVER)
"""That of the request being served; what is left of it travels to the services that it calls."""

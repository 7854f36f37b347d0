"""The time of day, as a part that can be replaced."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Where Unix time begins."""

Clock = Callable[[], datetime]
"""Tells the time, aware and in UTC."""


def now() -> datetime:
    return datetime.now(UTC)

"""How far SQLite goes for something, whatever the machine's speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.orm import Session

T = TypeVar("T")
_EVERY = 10
"""Of SQLite's own steps one call of the handler."""


def with_steps(session: Session, ask: Callable[[], T]) -> tuple[T, int]:
    """What is answered, and how many steps that takes, in tens."""
    driver = session.connection().connection.driver_connection
    assert driver is not None
    steps: list[None] = []
    driver.set_progress_handler(lambda: steps.append(None), _EVERY)
    answer = ask()
    driver.set_progress_handler(None, _EVERY)
    return answer, len(steps)

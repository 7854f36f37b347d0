"""Dead letters: events that a consumer gave up on, to be looked at, replayed or discarded by an operator."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ecshop.events.tables import DeadLetter


def keep(session: Session, letter: DeadLetter) -> None:
    """Keep an event that could not be applied; a later failure of the same event replaces the earlier one."""
    earlier = session.get(DeadLetter, (letter.consumer, letter.event_id))
    letter.times = earlier.times + 1 if earlier else 1
    session.merge(letter)


def count_letters(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(DeadLetter)) or 0

"""Dead letters: events that a consumer gave up on, to be looked at, replayed or discarded by an operator."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ecshop.events.tables import DeadLetter, Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.errors import EcshopError


class DeadLetterNotFound(EcshopError, code="dead_letter.not_found", status=404):
    """There is no such dead letter."""


class DeadLetterUndecodable(EcshopError, code="dead_letter.undecodable", status=409):
    """It is no event that could be tried again; all that is left is to discard it."""


def keep(session: Session, letter: DeadLetter) -> None:
    """Keep an event that could not be applied; a later failure of the same event replaces the earlier one."""
    earlier = session.get(DeadLetter, (letter.consumer, letter.event_id))
    letter.times = earlier.times + 1 if earlier else 1
    session.merge(letter)


def count_letters(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(DeadLetter)) or 0


def list_letters(session: Session) -> list[DeadLetter]:
    """Oldest first."""
    return list(session.scalars(select(DeadLetter).order_by(DeadLetter.failed_at)))


def replay(session: Session, event_id: str) -> None:
    """Put the event into this database's outbox: its bus brings it back to the consumer that gave it up.

    Other consumers that hear it again have it in their inbox. Raises `DeadLetterNotFound` or `DeadLetterUndecodable`.
    """
    letter = _find(session, event_id)
    if not letter.type:
        raise DeadLetterUndecodable(f"{event_id} is no event that could be tried again; discard it")
    session.add(Outbox(event_id=event_id, type=letter.type, body=letter.body, recorded_at=now(), attempts=0))
    session.delete(letter)


def discard(session: Session, event_id: str) -> None:
    """Raises `DeadLetterNotFound`."""
    session.delete(_find(session, event_id))


def _find(session: Session, event_id: str) -> DeadLetter:
    letter = session.scalar(select(DeadLetter).where(DeadLetter.event_id == event_id))
    if letter is None:
        raise DeadLetterNotFound(f"there is no dead letter {event_id}")
    return letter

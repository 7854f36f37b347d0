"""Tries to apply an event that failed, kept as long as what the event is about: a delay can be told of later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.orm import Session

from ecshop.events.tables import FailedAttempt
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.many import KEYS, execute_many, select_many

MOST: Final = 20
"""Of one event, the first ones: one that is replayed without end takes no room without end."""
_LONGEST: Final = 500
_COUNTED: Final = (
    select(FailedAttempt.event_id, func.count())
    .where(FailedAttempt.event_id.in_(bindparam(KEYS, expanding=True)))
    .group_by(FailedAttempt.event_id)
)
_KEEP: Final = insert(table_of(FailedAttempt))


class Failure(NamedTuple):
    event_id: str
    cause: Exception


def keep(session: Session, consumer: str, failures: Sequence[Failure]) -> None:
    counted = dict(select_many(session, _COUNTED, {one.event_id for one in failures}))
    moment = now()
    rows = [
        {"consumer": consumer, "event_id": one.event_id, "at": moment, "error": told(one.cause, _LONGEST)}
        for one in failures
        if counted.get(one.event_id, 0) < MOST
    ]
    if rows:
        execute_many(session, _KEEP, rows)


def failed_attempts(session: Session, event_ids: Sequence[str]) -> list[FailedAttempt]:
    """Oldest first."""
    query = select(FailedAttempt).where(FailedAttempt.event_id.in_(event_ids)).order_by(FailedAttempt.seq)
    return list(session.scalars(query))


def told(cause: Exception, longest: int) -> str:
    """As a column takes it."""
    return f"{type(cause).__name__}: {cause}"[:longest].replace("\0", "\ufffd")

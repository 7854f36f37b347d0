"""The transactional outbox: plain functions inside somebody's transaction.

It makes publishing an event part of the change that the event is about. Together with the inbox it turns delivery at
least once into effects exactly once (microservices.io: transactional outbox, idempotent consumer).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import Event
from ecshop.events.envelope import Envelope, seal, to_bytes
from ecshop.events.tables import Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import affected_rows, table_of
from ecshop.kernel.telemetry.logs import request_id

RETENTION: Final = timedelta(hours=72)
"""How long a published event stays, so that a broker that lost its data can be refilled."""
_RESEND_AT_ONCE: Final = 5000
_PURGE_AT_ONCE: Final = 1000


class Outgoing(NamedTuple):
    """A due event on its way out; `attempts` counts the earlier tries."""

    seq: int
    event_id: str
    type: str
    body: bytes
    attempts: int


class Postponed(NamedTuple):
    seq: int
    due_at: datetime


_RECORD: Final = insert(table_of(Outbox))
_PENDING: Final = (
    select(Outbox.seq, Outbox.event_id, Outbox.type, Outbox.body, Outbox.attempts)
    .where(Outbox.published_at.is_(None), Outbox.due_at <= bindparam("moment"))
    .order_by(Outbox.seq)
    .limit(bindparam("most"))
)
_PUBLISHED: Final = (
    update(table_of(Outbox))
    .where(Outbox.seq.in_(bindparam("seqs", expanding=True)))
    .values(published_at=bindparam("moment"))
)
_POSTPONE: Final = (
    update(table_of(Outbox))
    .where(Outbox.seq == bindparam("row"))
    .values(due_at=bindparam("due"), attempts=Outbox.attempts + 1)
)


def record(session: Session, events: Iterable[Event]) -> None:
    """Have the events published if, and only if, this transaction commits.

    An event that names no request was caused by the one that this transaction is run for.
    """
    rows = [_row(seal(event, caused_by=request_id.get())) for event in events]
    if rows:
        session.connection().execute(_RECORD, rows)


def _row(envelope: Envelope) -> dict[str, object]:
    return {
        "event_id": envelope.id,
        "type": envelope.type,
        "body": to_bytes(envelope),
        "recorded_at": envelope.time,
        "attempts": 0,
        "due_at": envelope.time,
    }


def pending(session: Session, most: int) -> list[Outgoing]:
    rows = session.connection().execute(_PENDING, {"moment": now(), "most": most}).all()
    return [Outgoing(*row) for row in rows]


def settle(session: Session, published: Sequence[int], postponed: Sequence[Postponed]) -> None:
    """Note what became of some due events."""
    if published:
        session.connection().execute(_PUBLISHED, {"seqs": published, "moment": now()})
    if postponed:
        session.connection().execute(_POSTPONE, [{"row": one.seq, "due": one.due_at} for one in postponed])


def resend(session: Session, since: datetime) -> int:
    """Make due again what was published after `since`; returns how many events that are."""
    some = select(Outbox.seq).where(Outbox.published_at > since).limit(_RESEND_AT_ONCE).scalar_subquery()
    again = update(Outbox).where(Outbox.seq.in_(some)).values(published_at=None, due_at=now(), attempts=0)
    total = 0
    while found := affected_rows(session.execute(again, execution_options={"synchronize_session": False})):
        total += found
    return total


def last_published(session: Session) -> datetime:
    return session.scalar(select(func.max(Outbox.published_at))) or now()


def purge(session: Session) -> int:
    """Forget a bounded number of published events past their retention; returns how many."""
    oldest = select(Outbox.seq).where(Outbox.published_at.is_not(None)).order_by(Outbox.seq).limit(_PURGE_AT_ONCE)
    expired = delete(Outbox).where(Outbox.seq.in_(oldest.scalar_subquery()), Outbox.published_at < now() - RETENTION)
    return affected_rows(session.execute(expired, execution_options={"synchronize_session": False}))

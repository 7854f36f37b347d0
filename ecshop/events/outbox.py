"""The transactional outbox and its counterpart, the inbox: plain functions inside somebody's transaction.

The outbox makes publishing part of the change that it tells of; the inbox makes applying an event part of its effect.
Together they turn delivery at least once into effects exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import CursorResult, Result, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import Event
from ecshop.events.envelope import Envelope, seal, to_bytes
from ecshop.events.tables import DeadLetter, Inbox, Outbox
from ecshop.kernel.columns import now, table_of

RETENTION: Final = timedelta(hours=72)
"""How long a published event stays, so that a broker that lost its data can be refilled."""
_INBOX_RETENTION: Final = 2 * RETENTION
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
_SEEN: Final = select(Inbox.event_id).where(
    Inbox.consumer == bindparam("consumer"), Inbox.event_id.in_(bindparam("ids", expanding=True))
)
_ACCEPT: Final = insert(table_of(Inbox))


def record(session: Session, events: Iterable[Event]) -> None:
    """Have the events published if, and only if, this transaction commits."""
    rows = [_row(seal(event)) for event in events]
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
    """Make due again what was published after `since`; tells how many events that are."""
    some = select(Outbox.seq).where(Outbox.published_at > since).limit(_RESEND_AT_ONCE).scalar_subquery()
    again = update(Outbox).where(Outbox.seq.in_(some)).values(published_at=None, due_at=now(), attempts=0)
    total = 0
    while found := _rows(session.execute(again, execution_options={"synchronize_session": False})):
        total += found
    return total


def last_published(session: Session) -> datetime:
    return session.scalar(select(func.max(Outbox.published_at))) or now()


def once(session: Session, consumer: str, envelopes: Sequence[Envelope]) -> list[Envelope]:
    """The envelopes that this consumer has not applied yet; from now on they count as applied."""
    ids = {envelope.id for envelope in envelopes}
    seen = set(session.connection().execute(_SEEN, {"consumer": consumer, "ids": list(ids)}).scalars().all())
    fresh = list({envelope.id: envelope for envelope in envelopes if envelope.id not in seen}.values())
    if fresh:
        moment = now()
        rows = [{"consumer": consumer, "event_id": one.id, "applied_at": moment} for one in fresh]
        session.connection().execute(_ACCEPT, rows)
    return fresh


def bury(session: Session, letter: DeadLetter) -> None:
    """Keep an event that could not be applied; a later failure of the same event replaces the earlier one."""
    session.merge(letter)


def purge(session: Session, consumer: str) -> int:
    """Forget a bounded number of events past their retention, told and heard; tells how many."""
    oldest = select(Outbox.seq).where(Outbox.published_at.is_not(None)).order_by(Outbox.seq).limit(_PURGE_AT_ONCE)
    outgoing = delete(Outbox).where(Outbox.seq.in_(oldest.scalar_subquery()), Outbox.published_at < now() - RETENTION)
    first_kept = _smallest_id(now() - _INBOX_RETENTION)
    old = (Inbox.consumer == consumer, Inbox.event_id < first_kept)
    expired = select(Inbox.event_id).where(*old).limit(_PURGE_AT_ONCE).scalar_subquery()
    incoming = delete(Inbox).where(Inbox.consumer == consumer, Inbox.event_id.in_(expired))
    options = {"synchronize_session": False}
    return sum(_rows(session.execute(statement, execution_options=options)) for statement in (outgoing, incoming))


def _rows(result: Result[Any]) -> int:
    return cast(CursorResult[Any], result).rowcount


def _smallest_id(moment: datetime) -> str:
    """Event ids are UUIDs of version 7, which begin with their time in milliseconds (RFC 9562, section 5.7)."""
    milliseconds = f"{int(moment.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"

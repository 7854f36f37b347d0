"""The transactional outbox: plain functions inside somebody's transaction.

It makes publishing an event part of the change that the event is about. Together with the inbox it turns delivery at
least once into effects exactly once (microservices.io: transactional outbox, idempotent consumer).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic, NamedTuple, TypeVar

import structlog
from sqlalchemy import ColumnElement, bindparam, delete, func, insert, null, or_, select, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import Event
from ecshop.events.envelope import Envelope, id_of
from ecshop.events.packing import Packed, Unreadable, pack, unpack
from ecshop.events.tables import IS_DUE, IS_UNHEARD, Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import affected_rows, table_of
from ecshop.kernel.db.many import KEYS, change_many, execute_many, select_many
from ecshop.kernel.db.transaction import notify
from ecshop.kernel.telemetry.cause import UNKNOWN, Cause, cause

log = structlog.get_logger("events")

LONGEST_PAUSE: Final = timedelta(seconds=30)
"""What is due later than this from now was postponed by a clock that was wrong, and is due."""


Place = TypeVar("Place")


class Due(NamedTuple):
    seq: int
    attempts: int
    packed: Packed


class Outgoing(NamedTuple):
    """A due event on its way out; `attempts` counts the earlier tries.

    Its `message` is the envelope, or that of a replayed dead letter in the bytes that it came in.
    """

    seq: int
    event_id: str
    type: str
    message: Envelope[Event] | bytes
    attempts: int


class Postponed(NamedTuple):
    seq: int
    due_at: datetime


class Receipt(NamedTuple):
    """Says that every listener has applied an event; by `event_id` too, for a restored outbox counts `seq` anew."""

    seq: int
    event_id: str


class Taken(NamedTuple):
    """An event that a broker has, at a `place` of its own."""

    seq: int
    event_id: str
    place: str


class Purged(NamedTuple, Generic[Place]):
    """How many rows were forgotten, and after which place to go on; None when all that is left is younger."""

    rows: int
    place: Place | None


class Backlog(NamedTuple):
    """How many events wait for something, and since when the oldest of them does."""

    events: int
    since: datetime


_RECORD: Final = insert(table_of(Outbox))
_PENDING: Final = (
    select(Outbox.seq, Outbox.attempts, *(getattr(Outbox, field) for field in Packed._fields))
    .where(
        IS_DUE,
        or_(
            Outbox.due_at.is_(None),
            Outbox.due_at == Outbox.recorded_at,
            Outbox.due_at <= bindparam("moment"),
            Outbox.due_at > bindparam("latest"),
        ),
    )
    .order_by(Outbox.seq)
    .limit(bindparam("most"))
)
_IDS: Final = select(Outbox.seq, Outbox.event_id).where(Outbox.seq.in_(bindparam(KEYS, expanding=True)))
_HEARD: Final = (
    update(table_of(Outbox))
    .where(Outbox.seq.in_(bindparam(KEYS, expanding=True)))
    .values(heard_at=bindparam("moment"), due_at=null())
)
_TAKEN: Final = (
    update(table_of(Outbox))
    .where(Outbox.seq == bindparam("row"))
    .values(published_at=bindparam("moment"), place=bindparam("at"), due_at=null())
)
_POSTPONE: Final = (
    update(table_of(Outbox))
    .where(Outbox.seq == bindparam("row"))
    .values(due_at=bindparam("due"), attempts=Outbox.attempts + 1)
)


def record(session: Session, events: Iterable[Event]) -> None:
    """Have the events published if, and only if, this transaction commits.

    An event that names no cause has that of this transaction.
    """
    moment, own = now(), cause()
    rows = [_row(event, own if event.cause == UNKNOWN else event.cause, moment) for event in events]
    if rows:
        execute_many(session, _RECORD, rows)
        notify(session)


def pending(session: Session, most: int) -> list[Due]:
    moment = now()
    due = {"moment": moment, "latest": moment + LONGEST_PAUSE, "most": most}
    rows = session.connection().execute(_PENDING, due)
    return [Due(seq, attempts, Packed(*packed)) for seq, attempts, *packed in rows]


def read(due: Sequence[Due]) -> list[Outgoing]:
    """All of them but those that only a newer version of this code can read."""
    outgoing: list[Outgoing] = []
    reasons: list[str] = []
    for one in due:
        try:
            message = unpack(one.packed)
        except Unreadable as cause:
            reasons.append(str(cause))
        else:
            outgoing.append(Outgoing(one.seq, one.packed.event_id, one.packed.type, message, one.attempts))
    if reasons:
        log.warning("left to a newer version of this code", events=len(reasons), first=reasons[0])
    return outgoing


def settle(
    session: Session, heard: Sequence[int] = (), taken: Sequence[Taken] = (), postponed: Sequence[Postponed] = ()
) -> None:
    """Note what became of some due events."""
    moment = now()
    change_many(session, _HEARD, heard, moment=moment)
    execute_many(session, _TAKEN, [{"row": one.seq, "moment": moment, "at": one.place} for one in taken])
    if postponed:
        session.connection().execute(_POSTPONE, [{"row": one.seq, "due": one.due_at} for one in postponed])


def leave(session: Session, seqs: Sequence[int]) -> None:
    """Look at them again after a while, with no attempt counted."""
    if seqs:
        session.execute(update(table_of(Outbox)).where(Outbox.seq.in_(seqs)).values(due_at=now() + LONGEST_PAUSE))


def confirm(session: Session, receipts: Sequence[Receipt]) -> None:
    """Note that these events were heard; a receipt for another event than the one in its place counts for nothing."""
    told = {receipt.seq: receipt.event_id for receipt in receipts}
    rows = select_many(session, _IDS, told)
    settle(session, heard=[seq for seq, event_id in rows if told[seq] == event_id])


def unheard(session: Session, since: datetime, after: int, most: int) -> list[Taken]:
    """What is published and not heard `since` a moment, or by a clock that was ahead; from the place `after` on."""
    old = or_(Outbox.published_at <= since, Outbox.published_at > now())
    query = select(Outbox.seq, Outbox.event_id, Outbox.place).where(IS_UNHEARD, old, Outbox.seq > after)
    rows = session.execute(query.order_by(Outbox.seq).limit(most))
    return [Taken(seq, event_id, place or "") for seq, event_id, place in rows]


def is_on_its_way(session: Session, event: type[Event]) -> bool:
    """Whether any event of this type is recorded and not heard."""
    of_type = select(Outbox.seq).where(Outbox.type == event.type)
    due, unheard = of_type.where(IS_DUE), of_type.where(IS_UNHEARD)
    return any(session.scalar(query.limit(1)) is not None for query in (due, unheard))


def count_unheard(session: Session) -> Backlog | None:
    """None when all that is published is heard."""
    query = select(func.count(), func.min(Outbox.published_at)).where(IS_UNHEARD)
    events, since = session.execute(query).one()
    return Backlog(events, since) if since else None


def count_due(session: Session) -> Backlog | None:
    """None when a broker has taken all that is recorded."""
    since = session.scalar(select(Outbox.recorded_at).where(IS_DUE).order_by(Outbox.seq).limit(1))
    if since is None:
        return None
    return Backlog(session.scalar(select(func.count()).select_from(Outbox).where(IS_DUE)) or 0, since)


def resend(session: Session, seqs: Sequence[int]) -> None:
    """Make due again, under their own ids, what was published and not heard."""
    _send_again(session, Outbox.seq.in_(seqs))


def resend_published(session: Session, since: datetime) -> int:
    """As `resend`, for all that was published since then; how many there were."""
    return _send_again(session, Outbox.published_at >= since)


def purge(session: Session, oldest: datetime, after: int, most: int) -> Purged[int]:
    """Forget what was heard before `oldest` among the next `most` events `after` a place."""
    nth = (
        select(Outbox.seq, Outbox.recorded_at).where(Outbox.seq > after).order_by(Outbox.seq).offset(most - 1).limit(1)
    )
    last = session.execute(nth).first()
    expired = delete(Outbox).where(Outbox.seq > after, Outbox.heard_at < oldest)
    if last is not None:
        expired = expired.where(Outbox.seq <= last.seq)
    rows = affected_rows(session.execute(expired, execution_options={"synchronize_session": False}))
    is_end = last is None or (rows == 0 and last.recorded_at >= oldest)
    return Purged(rows, None if last is None or is_end else last.seq)


def _row(event: Event, cause: Cause, moment: datetime) -> dict[str, Any]:
    return {
        "event_id": id_of(event),
        "type": event.type,
        "body": pack(event, moment),
        "request_id": cause.request_id or None,
        "traceparent": cause.traceparent or None,
        "recorded_at": moment,
        "attempts": 0,
        "due_at": moment,
    }


def _send_again(session: Session, which: ColumnElement[bool]) -> int:
    again = update(Outbox).where(IS_UNHEARD, which).values(published_at=None, place=None, due_at=None, attempts=0)
    return affected_rows(session.execute(again, execution_options={"synchronize_session": False}))

"""What a context's database knows of its events, and of what people did. Each function runs inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from ecshop.events.attempts import failed_attempts
from ecshop.events.dead_letters import count_letters
from ecshop.events.envelope import body_of
from ecshop.events.inbox import smallest_id
from ecshop.events.outbox import count_due, count_unheard
from ecshop.events.packing import Packed, Unreadable, unpack
from ecshop.events.tables import AuditRow, DeadLetter, Inbox, Outbox
from ecshop.kernel.db.keyset import Keyset
from ecshop.kernel.db.mapping import struct_of
from ecshop.kernel.telemetry.trace import context_of
from ecshop.kernel.values import Page, Spread
from ecshop.oversight.contract import Backlog, Delivery, Entry, EntryFilter, EventFilter, FailedTry, PublishedEvent
from ecshop.oversight.dead_letters import read_body

_EVENTS: Final = Keyset("-seq", Outbox.seq, Outbox.seq)
_ENTRIES: Final = Keyset("-seq", AuditRow.seq, AuditRow.seq)
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""There is room around them to look in."""
_RECORDED_WITHIN: Final = timedelta(seconds=60)
"""Of the time that an event's id begins with."""
_A_MINUTE: Final = timedelta(minutes=1)
_OF_A_MINUTE: Final = 200
"""Events of it that are looked at."""
_SLACK: Final = timedelta(seconds=1)
"""By which places in the outbox may be out of the order of times."""


_ENDS: Final = select(
    select(func.min(Outbox.seq)).scalar_subquery(), select(func.max(Outbox.seq) + 1).scalar_subquery()
)
"""Apart, so that SQLite takes each from the end of the table: both in one would read all of it."""


def events_of(session: Session, wanted: EventFilter, cursor: str | None, limit: int) -> Page[PublishedEvent]:
    query, within = select(Outbox), list[ColumnElement[bool]]()
    since = wanted.recorded_after and max(wanted.recorded_after, _EARLIEST)
    until = wanted.recorded_before and min(wanted.recorded_before, _LATEST)
    if wanted.type is not None:
        query = query.where(Outbox.type == wanted.type)
    if wanted.event_id:
        times = [moment for event_id in wanted.event_id if (moment := _time_in(event_id))]
        if not times:
            return Page((), None)
        since = max(filter(None, (since, min(times) - _SLACK)))
        until = min(filter(None, (until, max(times) + _RECORDED_WITHIN)))
        query = query.where(Outbox.event_id.in_(wanted.event_id))
    if since is not None:
        within += [Outbox.seq >= _place_at(session, since - _SLACK), Outbox.recorded_at > since]
    if until is not None:
        within += [Outbox.seq < _place_at(session, until + _SLACK), Outbox.recorded_at < until]
    return _EVENTS.fetch(session, query, cursor, limit, _published, within)


def deliveries_of(session: Session, consumer: str, event_ids: Sequence[str]) -> tuple[Delivery, ...]:
    own = Inbox.consumer == consumer, Inbox.event_id.in_(event_ids)
    applied = dict(session.execute(select(Inbox.event_id, Inbox.applied_at).where(*own)).all())
    given_up_at = select(DeadLetter.event_id, DeadLetter.failed_at).where(DeadLetter.event_id.in_(event_ids))
    given_up = dict(session.execute(given_up_at).all())
    failed: dict[str, list[FailedTry]] = {}
    for one in failed_attempts(session, event_ids):
        failed.setdefault(one.event_id, []).append(FailedTry(one.at, one.error))
    return tuple(
        Delivery(event_id, applied.get(event_id), tuple(failed.get(event_id, ())), given_up.get(event_id))
        for event_id in event_ids
    )


def backlog_of(session: Session) -> Backlog:
    due, unheard = count_due(session), count_unheard(session)
    return Backlog(
        due.events if due else 0,
        due.since if due else None,
        unheard.events if unheard else 0,
        unheard.since if unheard else None,
        count_letters(session),
    )


def lags_of(session: Session, consumer: str, since: datetime, minutes: int) -> tuple[Spread | None, ...]:
    begin = min(max(since, _EARLIEST), _LATEST)
    return tuple(_lag(session, consumer, begin + n * _A_MINUTE) for n in range(minutes))


def _lag(session: Session, consumer: str, begin: datetime) -> Spread | None:
    """An inbox is in the order of its events' ids, which is that of their times."""
    ids = Inbox.event_id >= smallest_id(begin), Inbox.event_id < smallest_id(begin + _A_MINUTE)
    query = select(Inbox.event_id, Inbox.applied_at).where(Inbox.consumer == consumer, *ids)
    found = session.execute(query.order_by(Inbox.event_id).limit(_OF_A_MINUTE))
    return Spread.of(applied_at - (_time_in(event_id) or applied_at) for event_id, applied_at in found)


def entries(session: Session, wanted: EntryFilter, cursor: str | None, limit: int) -> Page[Entry]:
    """Newest first. Raises `InvalidCursor`."""
    query = select(AuditRow)
    for column, value in (
        (AuditRow.actor, wanted.actor),
        (AuditRow.action, wanted.action),
        (AuditRow.subject, wanted.subject),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(AuditRow.at >= wanted.since)
    return _ENTRIES.fetch(session, query, cursor, limit, _entry)


def _place_at(session: Session, moment: datetime) -> int:
    """The first place in the outbox from this moment on, by halving: places follow the time, and no index has it."""
    low, high = session.execute(_ENDS).one()
    while low is not None and low < high:
        middle = (low + high) // 2
        row = select(Outbox.seq, Outbox.recorded_at).where(Outbox.seq >= middle).order_by(Outbox.seq).limit(1)
        seq, recorded_at = session.execute(row).one()
        if recorded_at < moment:
            low = seq + 1
        else:
            high = middle
    return low or 0


def _time_in(event_id: str) -> datetime | None:
    """Ids of events begin with 48 bits of milliseconds (RFC 9562, sections 5.7 and 5.8)."""
    try:
        milliseconds = int(event_id.replace("-", "")[:12], 16)
        return min(datetime.fromtimestamp(milliseconds / 1000, UTC), _LATEST)
    except (ValueError, OverflowError, OSError):
        return None


def _published(row: Outbox) -> PublishedEvent:
    try:
        message = unpack(Packed(*(getattr(row, field) for field in Packed._fields)))
        envelope = read_body(body_of(message))
    except Unreadable as cause:
        envelope = str(cause)
    context = context_of(row.traceparent) if row.traceparent else None
    return struct_of(
        PublishedEvent,
        row,
        subject=envelope.get("subject", "") if isinstance(envelope, dict) else "",
        trace_id=context.trace_id if context else None,
        envelope=envelope,
    )


def _read(written: str | None) -> Any:
    return None if written is None else msgspec.json.decode(written)


def _entry(row: AuditRow) -> Entry:
    return struct_of(Entry, row, before=_read(row.before), after=_read(row.after))

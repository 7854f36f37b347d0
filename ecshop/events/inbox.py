"""The inbox: plain functions inside somebody's transaction that make applying an event part of its effect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.orm import Session

from ecshop.events.envelope import AnyEnvelope
from ecshop.events.outbox import Purged
from ecshop.events.tables import Inbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import affected_rows, table_of
from ecshop.kernel.db.many import KEYS, execute_many, select_many

_SEEN: Final = select(Inbox.event_id).where(
    Inbox.consumer == bindparam("consumer"), Inbox.event_id.in_(bindparam(KEYS, expanding=True))
)
_ACCEPT: Final = insert(table_of(Inbox))


def once(session: Session, consumer: str, envelopes: Sequence[AnyEnvelope]) -> list[AnyEnvelope]:
    """The envelopes that this consumer has not applied yet; from now on they count as applied."""
    ids = {envelope.id for envelope in envelopes}
    seen = {event_id for (event_id,) in select_many(session, _SEEN, ids, consumer=consumer)}
    fresh = list({envelope.id: envelope for envelope in envelopes if envelope.id not in seen}.values())
    if fresh:
        moment = now()
        rows = [{"consumer": consumer, "event_id": one.id, "applied_at": moment} for one in fresh]
        execute_many(session, _ACCEPT, rows)
    return fresh


def purge(session: Session, consumer: str, oldest: datetime, after: str, most: int) -> Purged[str]:
    """Forget what was applied before `oldest` among the next `most` events `after` an id.

    What is old by its id may have been applied just now, where it waited long or a clock was wrong. SQLite goes
    through an index up to the first bound that it finds, so that there is one alone.
    """
    own = (Inbox.consumer == consumer, Inbox.event_id > after)
    old = Inbox.event_id < smallest_id(oldest)
    last = session.scalar(select(Inbox.event_id).where(*own, old).order_by(Inbox.event_id).offset(most - 1).limit(1))
    expired = delete(Inbox).where(*own, old if last is None else Inbox.event_id <= last, Inbox.applied_at < oldest)
    return Purged(affected_rows(session.execute(expired, execution_options={"synchronize_session": False})), last)


def smallest_id(moment: datetime) -> str:
    """Event ids begin with their time in milliseconds, as `envelope` makes them."""
    milliseconds = f"{int(moment.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-0000-0000-000000000000"

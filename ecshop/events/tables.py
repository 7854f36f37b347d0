"""The tables of outbox, inbox and dead letters, and whose they are: the same in every context's database."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String, Text, and_
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ecshop.kernel.db.columns import COLUMN_TYPES, Coded, CompactId, CountedKey

TYPE_CODES: Final = {
    "ecshop.order.confirmed.v1": "oc",
    "ecshop.order.cancelled.v1": "ox",
    "ecshop.order.fulfilled.v1": "of",
    "ecshop.product.deleted.v1": "pd",
    "ecshop.stock.depleted.v1": "sd",
    "ecshop.stock.replenished.v1": "sr",
    "ecshop.stock.reservation_expired.v1": "se",
}
"""A code is never given to another type."""

_CONSUMER_CODES: Final = {"auth": "a", "product": "p", "stock": "s", "order": "o"}


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


class Shop(Base):
    """One row: the shop that this database belongs to. Each time that a lost database is begun anew, it is another
    `generation` of it: versions that were counted before do not come again.
    """

    __tablename__ = "shop"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    generation: Mapped[int]
    made_at: Mapped[datetime]


class Outbox(Base):
    """An event that its cause's transaction recorded. It is done with when every listener has applied it: `heard_at`.

    Until then it is due, as soon as it is recorded, or at a later `due_at` where a try has failed; from `published_at`
    on a broker has it, at its `place` there. Inside one process nothing is published, only heard. Either way it is no
    longer due, and `due_at` makes room for the time of what has happened: a row that grows splits its page.
    """

    __tablename__ = "outbox"

    seq: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    event_id: Mapped[str] = mapped_column(CompactId)
    type: Mapped[str] = mapped_column(Coded(TYPE_CODES, 80))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    request_id: Mapped[str | None] = mapped_column(CompactId)
    traceparent: Mapped[str | None] = mapped_column(String(55))
    recorded_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    place: Mapped[str | None] = mapped_column(String(40))
    heard_at: Mapped[datetime | None]


IS_DUE: Final = and_(Outbox.published_at.is_(None), Outbox.heard_at.is_(None))
IS_UNHEARD: Final = and_(Outbox.published_at.is_not(None), Outbox.heard_at.is_(None))
Index("outbox_due", Outbox.seq, sqlite_where=IS_DUE, postgresql_where=IS_DUE)
Index("outbox_unheard", Outbox.seq, sqlite_where=IS_UNHEARD, postgresql_where=IS_UNHEARD)


class Answer(Base):
    """A request with an idempotency key that was carried out, and what it was answered. Both keys are hashes."""

    __tablename__ = "answer"
    __table_args__ = (Index("answer_made_at", "made_at"),)

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    answer: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]


class AuditRow(Base):
    """What somebody did. The database refuses to change one, or to delete one."""

    __tablename__ = "audit"
    __table_args__ = (Index("audit_subject", "subject", "seq"), {"sqlite_autoincrement": True})

    seq: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[UUID | None]
    role: Mapped[str] = mapped_column(String(16))
    session: Mapped[UUID | None]
    address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(CompactId)
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str | None] = mapped_column(Text)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class Inbox(Base):
    """An event that a consumer has applied; its key is what makes a repeat harmless."""

    __tablename__ = "inbox"
    __table_args__ = {"sqlite_with_rowid": False}

    consumer: Mapped[str] = mapped_column(Coded(_CONSUMER_CODES, 32), primary_key=True)
    event_id: Mapped[str] = mapped_column(CompactId, primary_key=True)
    applied_at: Mapped[datetime]


class FailedAttempt(Base):
    """A try to apply an event that came to nothing; of one that held, the inbox knows."""

    __tablename__ = "failed_attempt"
    __table_args__ = (Index("failed_attempt_event", "event_id", "seq"),)

    seq: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    consumer: Mapped[str] = mapped_column(String(32))
    event_id: Mapped[str] = mapped_column(CompactId)
    at: Mapped[datetime]
    error: Mapped[str] = mapped_column(String(500))


class DeadLetter(Base):
    """An event that a consumer gave up on, kept for an operator to replay or discard; `times` counts how often."""

    __tablename__ = "dead_letter"

    consumer: Mapped[str] = mapped_column(String(32), primary_key=True)
    event_id: Mapped[str] = mapped_column(CompactId, primary_key=True)
    type: Mapped[str] = mapped_column(String(80))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    error: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    times: Mapped[int] = mapped_column(default=1)
    failed_at: Mapped[datetime]

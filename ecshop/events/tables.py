"""The tables of outbox, inbox, dead letters and relay, the same in every context's database."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ecshop.kernel.db.columns import COLUMN_TYPES, CountedKey


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


class Outbox(Base):
    """An event that its cause's transaction recorded. It is due until `published_at` is set."""

    __tablename__ = "outbox"

    seq: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    event_id: Mapped[str] = mapped_column(String(36))
    type: Mapped[str] = mapped_column(String(80))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    recorded_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    published_at: Mapped[datetime | None]


_UNPUBLISHED = Outbox.published_at.is_(None)
Index("outbox_unpublished", Outbox.seq, sqlite_where=_UNPUBLISHED, postgresql_where=_UNPUBLISHED)


class Inbox(Base):
    """An event that a consumer has applied; its key is what makes a repeat harmless."""

    __tablename__ = "inbox"
    __table_args__ = {"sqlite_with_rowid": False}

    consumer: Mapped[str] = mapped_column(String(32), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    applied_at: Mapped[datetime]


class DeadLetter(Base):
    """An event that a consumer gave up on, kept for an operator to replay or discard."""

    __tablename__ = "dead_letter"

    consumer: Mapped[str] = mapped_column(String(32), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    type: Mapped[str] = mapped_column(String(80))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    error: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    failed_at: Mapped[datetime]


class RelayState(Base):
    """Which broker has what the outbox calls published, as its bus recognises it."""

    __tablename__ = "relay_state"

    bus: Mapped[str] = mapped_column(String(32), primary_key=True)
    broker: Mapped[str] = mapped_column(String(200))

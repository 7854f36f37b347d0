"""How the event tables came to be: called by the migrations of every context, and never changed afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ecshop.kernel.db.columns import CountedKey, Instant


def create_event_tables() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", CountedKey, primary_key=True),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("type", sa.String(80), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("published_at", Instant),
    )
    unpublished = sa.text("published_at IS NULL")
    op.create_index("outbox_unpublished", "outbox", ["seq"], sqlite_where=unpublished, postgresql_where=unpublished)
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.String(32), primary_key=True),
        sa.Column("event_id", sa.String(80), primary_key=True),
        sa.Column("applied_at", Instant, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dead_letter",
        sa.Column("consumer", sa.String(32), primary_key=True),
        sa.Column("event_id", sa.String(80), primary_key=True),
        sa.Column("type", sa.String(80), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("failed_at", Instant, nullable=False),
    )
    op.create_table(
        "relay_state",
        sa.Column("bus", sa.String(32), primary_key=True),
        sa.Column("broker", sa.String(200), nullable=False),
    )

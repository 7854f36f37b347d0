"""How the event tables came to be: called by the migrations of every context, and never changed afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ecshop.kernel.db.columns import CompactId, CompactUuid, CountedKey, Instant

_REFUSED = "the audit trail is only ever added to"
_APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER audit_{what.lower()} BEFORE {what} ON audit BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
        for what in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        f"""
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '{_REFUSED}';
        END $$
        """,
        "CREATE TRIGGER audit_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        "CREATE TRIGGER audit_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    ],
}


def create_event_tables() -> None:
    op.create_table(
        "shop",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", CountedKey, primary_key=True),
        sa.Column("event_id", CompactId, nullable=False),
        sa.Column("type", sa.String(80), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("request_id", CompactId),
        sa.Column("traceparent", sa.String(55)),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("due_at", Instant),
        sa.Column("published_at", Instant),
        sa.Column("place", sa.String(40)),
        sa.Column("heard_at", Instant),
    )
    due = sa.text("published_at IS NULL AND heard_at IS NULL")
    op.create_index("outbox_due", "outbox", ["seq"], sqlite_where=due, postgresql_where=due)
    unheard = sa.text("published_at IS NOT NULL AND heard_at IS NULL")
    op.create_index("outbox_unheard", "outbox", ["seq"], sqlite_where=unheard, postgresql_where=unheard)
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.String(32), primary_key=True),
        sa.Column("event_id", CompactId, primary_key=True),
        sa.Column("applied_at", Instant, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "answer",
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
    )
    op.create_index("answer_made_at", "answer", ["made_at"])
    op.create_table(
        "audit",
        sa.Column("seq", CountedKey, primary_key=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("actor", CompactUuid),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("session", CompactUuid),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("request_id", CompactId, nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_subject", "audit", ["subject", "seq"])
    for statement in _APPEND_ONLY[op.get_context().dialect.name]:
        op.execute(statement)
    op.create_table(
        "failed_attempt",
        sa.Column("seq", CountedKey, primary_key=True),
        sa.Column("consumer", sa.String(32), nullable=False),
        sa.Column("event_id", CompactId, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("error", sa.String(500), nullable=False),
    )
    op.create_index("failed_attempt_event", "failed_attempt", ["event_id", "seq"])
    op.create_table(
        "dead_letter",
        sa.Column("consumer", sa.String(32), primary_key=True),
        sa.Column("event_id", CompactId, primary_key=True),
        sa.Column("type", sa.String(80), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("times", sa.BigInteger, nullable=False),
        sa.Column("failed_at", Instant, nullable=False),
    )

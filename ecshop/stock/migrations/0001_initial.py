"""Items, reservations and the ledger, and the event tables."""

import sqlalchemy as sa
from alembic import op

from ecshop.events.schema import create_event_tables
from ecshop.kernel.db.columns import CompactUuid, CountedKey, Instant

revision = "stock_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "item",
        sa.Column("product_id", CountedKey, primary_key=True, autoincrement=False),
        sa.Column("on_hand", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("last_movement", sa.BigInteger),
        sa.Column("low_mark", sa.BigInteger, nullable=False),
        sa.CheckConstraint("0 <= reserved AND reserved <= on_hand", name="never_oversold"),
        sa.CheckConstraint("state IN ('open', 'removed', 'deleted')", name="known_state"),
    )
    op.create_table(
        "reservation",
        sa.Column("order_id", CompactUuid, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("units", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", Instant),
        sa.Column("asked_at", Instant),
        sa.Column("committed_at", Instant),
        sa.Column("ended_at", Instant),
        sa.Column("sold_out", sa.LargeBinary),
        sa.CheckConstraint("state IN ('h', 'w', 'c', 'r', 'b', 'x')", name="known_state"),
        sa.CheckConstraint("(state = 'h') = (expires_at IS NOT NULL)", name="only_a_hold_expires"),
        sqlite_with_rowid=False,
    )
    held = sa.text("state = 'h'")
    op.create_index("reservation_held", "reservation", ["expires_at"], sqlite_where=held, postgresql_where=held)
    op.create_table(
        "movement",
        sa.Column("id", CountedKey, primary_key=True),
        sa.Column("product_id", sa.BigInteger, nullable=False),
        sa.Column("delta", sa.BigInteger, nullable=False),
        sa.Column("on_hand", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("reference", CompactUuid),
        sa.Column("actor", CompactUuid),
        sa.Column("at", Instant, nullable=False),
        sa.Column("previous", sa.BigInteger),
    )
    create_event_tables()

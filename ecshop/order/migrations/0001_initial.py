"""Orders, and the event tables."""

import sqlalchemy as sa
from alembic import op

from ecshop.events.schema import create_event_tables
from ecshop.kernel.db.columns import CompactId, CompactUuid, Instant

revision = "order_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", CompactUuid, primary_key=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("user_id", CompactUuid),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("lines", sa.LargeBinary, nullable=False),
        sa.Column("placed_at", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        sa.Column("cancelled_by", sa.String(16)),
        sa.Column("reason", sa.String(200)),
        sa.Column("restock", sa.Boolean, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32)),
        sa.Column("request_id", CompactId),
        sa.Column("traceparent", sa.String(55)),
        sa.Column("steps", sa.LargeBinary),
        sa.Column("ended_by", CompactUuid),
        sa.CheckConstraint("status IN ('c', 'f', 'x')", name="known_status"),
        sa.CheckConstraint("status = 'x' OR user_id IS NOT NULL", name="only_a_tombstone_has_no_user"),
        sa.CheckConstraint("total >= 0", name="total_not_negative"),
        sa.CheckConstraint("cancelled_by IN ('customer', 'staff', 'shop')", name="known_canceller"),
        sa.CheckConstraint("(status = 'x') = (cancelled_by IS NOT NULL)", name="cancelled_by_somebody"),
        sa.CheckConstraint("(status = 'c') = (ended_at IS NULL)", name="ended_at_some_time"),
        sqlite_with_rowid=False,
    )
    op.create_index("orders_of_user", "orders", ["user_id", "placed_at", "id"])
    op.create_index("orders_by_status", "orders", ["status", "placed_at", "id"])
    ended = sa.text("ended_at IS NOT NULL")
    op.create_index("orders_ended", "orders", ["ended_at"], sqlite_where=ended, postgresql_where=ended)
    op.create_table(
        "order_of_product",
        sa.Column("product_id", sa.BigInteger, primary_key=True),
        sa.Column("placed_second", sa.BigInteger, primary_key=True),
        sa.Column("order_id", CompactUuid, primary_key=True),
        sqlite_with_rowid=False,
    )
    create_event_tables()

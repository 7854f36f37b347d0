"""Orders and their lines, and the event tables."""

import sqlalchemy as sa
from alembic import op

from ecshop.events.schema import create_event_tables
from ecshop.kernel.db.columns import CompactUuid, Instant

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
        sa.Column("placed_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("fulfilled_at", Instant),
        sa.Column("cancelled_at", Instant),
        sa.Column("cancelled_by", sa.String(16)),
        sa.Column("reason", sa.String(200)),
        sa.Column("restock", sa.Boolean, nullable=False),
        sa.Column("fingerprint", sa.String(64)),
        sa.CheckConstraint("status IN ('confirmed', 'fulfilled', 'cancelled')", name="known_status"),
        sa.CheckConstraint("status = 'cancelled' OR user_id IS NOT NULL", name="only_a_tombstone_has_no_user"),
        sa.CheckConstraint("total >= 0", name="total_not_negative"),
        sa.CheckConstraint("cancelled_by IN ('customer', 'staff', 'shop')", name="known_canceller"),
        sa.CheckConstraint("(status = 'cancelled') = (cancelled_by IS NOT NULL)", name="cancelled_by_somebody"),
        sqlite_with_rowid=False,
    )
    op.create_index("orders_of_user", "orders", ["user_id", "placed_at", "id"])
    op.create_index("orders_by_time", "orders", ["placed_at", "id"])
    op.create_index("ix_orders_updated_at", "orders", ["updated_at"])
    op.create_table(
        "order_line",
        sa.Column("order_id", CompactUuid, sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("place", sa.BigInteger, primary_key=True),
        sa.Column("product_id", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
        sqlite_with_rowid=False,
    )
    op.create_index("order_lines_of_product", "order_line", ["product_id", "order_id"])
    create_event_tables()

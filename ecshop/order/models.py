"""Tables of the order database."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from ecshop.kernel.db.columns import COLUMN_TYPES, UpdatedAt


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


class OrderRow(Base):
    """The commit record of a sale.

    A row without a user is a tombstone: an order that was given up before it was recorded, and never will be.
    `fingerprint` is the idempotency record: what was asked for under the key that `id` is made from. `restock` is
    whether the units of a cancelled order come back, as its event says again whenever it is told again.
    """

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("status IN ('confirmed', 'fulfilled', 'cancelled')", name="known_status"),
        CheckConstraint("status = 'cancelled' OR user_id IS NOT NULL", name="only_a_tombstone_has_no_user"),
        CheckConstraint("total >= 0", name="total_not_negative"),
        CheckConstraint("cancelled_by IN ('customer', 'staff', 'shop')", name="known_canceller"),
        CheckConstraint("(status = 'cancelled') = (cancelled_by IS NOT NULL)", name="cancelled_by_somebody"),
        Index("orders_of_user", "user_id", "placed_at", "id"),
        Index("orders_by_time", "placed_at", "id"),
        {"sqlite_with_rowid": False},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    version: Mapped[int]
    user_id: Mapped[UUID | None]
    total: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    placed_at: Mapped[datetime]
    updated_at: Mapped[UpdatedAt] = mapped_column(index=True)
    fulfilled_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(200))
    restock: Mapped[bool] = mapped_column(default=True)
    fingerprint: Mapped[str | None] = mapped_column(String(64))

    lines: Mapped[list[OrderLineRow]] = relationship(order_by="OrderLineRow.place", lazy="selectin")


class OrderLineRow(Base):
    __tablename__ = "order_line"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        Index("order_lines_of_product", "product_id", "order_id"),
        {"sqlite_with_rowid": False},
    )

    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    quantity: Mapped[int]
    unit_price: Mapped[int]

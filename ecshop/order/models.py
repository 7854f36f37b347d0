"""Tables of the order database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from sqlalchemy import CheckConstraint, Index, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ecshop.kernel.clock import EPOCH
from ecshop.kernel.db.columns import COLUMN_TYPES, Coded, CompactId, Document


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


STATUS_CODES: Final = {"confirmed": "c", "fulfilled": "f", "cancelled": "x"}
CONFIRMED, FULFILLED, CANCELLED = STATUSES = tuple(STATUS_CODES)
STEP: Final = timedelta(microseconds=100)
_SECOND: Final = timedelta(seconds=1)


class RecordedLine(msgspec.Struct, frozen=True, array_like=True):
    """A line as it stands in its order's row, where it never changes; a new field comes last, with a default."""

    product_id: int
    name: str
    quantity: int
    unit_price: int


class RecordedSteps(msgspec.Struct, frozen=True, array_like=True):
    """When what led to an order was done, in `STEP`s after the order's `placed_at`; earlier is less than 0."""

    began: int
    quoted: int
    reserved: int
    recorded: int


class OrderRow(Base):
    """The commit record of a sale.

    A row without a user is a tombstone: an order that was given up before it was recorded, and never will be.
    `fingerprint` is the idempotency record: what was asked for under the key that `id` is made from. `restock` is
    whether the units of a cancelled order come back, as its event says again whenever it is told again. `ended_at` is
    when the order was fulfilled or cancelled, and `ended_by` who did it. `request_id` and `traceparent` are those of
    the request that it was placed with.
    """

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint("status IN ('c', 'f', 'x')", name="known_status"),
        CheckConstraint("status = 'x' OR user_id IS NOT NULL", name="only_a_tombstone_has_no_user"),
        CheckConstraint("total >= 0", name="total_not_negative"),
        CheckConstraint("cancelled_by IN ('customer', 'staff', 'shop')", name="known_canceller"),
        CheckConstraint("(status = 'x') = (cancelled_by IS NOT NULL)", name="cancelled_by_somebody"),
        CheckConstraint("(status = 'c') = (ended_at IS NULL)", name="ended_at_some_time"),
        Index("orders_of_user", "user_id", "placed_at", "id"),
        Index("orders_by_status", "status", "placed_at", "id"),
        {"sqlite_with_rowid": False},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(Coded(STATUS_CODES, 16))
    version: Mapped[int]
    user_id: Mapped[UUID | None]
    total: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    lines: Mapped[tuple[RecordedLine, ...]] = mapped_column(Document(tuple[RecordedLine, ...]))
    placed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(200))
    restock: Mapped[bool] = mapped_column(default=True)
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    request_id: Mapped[str | None] = mapped_column(CompactId)
    traceparent: Mapped[str | None] = mapped_column(String(55))
    steps: Mapped[RecordedSteps | None] = mapped_column(Document(RecordedSteps))
    ended_by: Mapped[UUID | None]


_ENDED = OrderRow.ended_at.is_not(None)
Index("orders_ended", OrderRow.ended_at, sqlite_where=_ENDED, postgresql_where=_ENDED)


class OrderOfProductRow(Base):
    """Which orders have a product, by the second of their `placed_at`: an index of what stands in their lines.

    A list of them is read newest first, and sorted within each second; the time as a whole takes twice the bytes.
    """

    __tablename__ = "order_of_product"
    __table_args__ = ({"sqlite_with_rowid": False},)

    product_id: Mapped[int] = mapped_column(primary_key=True)
    placed_second: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(primary_key=True)


def second_of(moment: datetime) -> int:
    """Since 1970."""
    return (moment - EPOCH) // _SECOND

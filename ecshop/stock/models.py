"""Tables of the stock database."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ecshop.kernel.db.columns import COLUMN_TYPES, Coded, CountedKey, Document, UpdatedAt
from ecshop.stock.contract import LOW


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


class ItemRow(Base):
    """Units of one product. Whatever goes wrong above, the check stands: nothing is promised that is not there.

    An item that is `removed`, or whose product is `deleted`, is in no list and promises nothing, but it stays: orders
    that are on their way still find it, and it goes on counting versions when it is opened again.

    `updated_at` has no index: each order changes it twice, and would dirty a page for each of its items.
    """

    __tablename__ = "item"
    __table_args__ = (
        CheckConstraint("0 <= reserved AND reserved <= on_hand", name="never_oversold"),
        CheckConstraint("state IN ('open', 'removed', 'deleted')", name="known_state"),
    )

    product_id: Mapped[int] = mapped_column(CountedKey, primary_key=True, autoincrement=False)
    on_hand: Mapped[int]
    reserved: Mapped[int]
    version: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default="open")
    updated_at: Mapped[UpdatedAt]
    last_movement: Mapped[int | None]
    low_mark: Mapped[int] = mapped_column(default=LOW)


STATE_CODES: Final = {
    "held": "h",
    "withdrawn": "w",
    "committed": "c",
    "released": "r",
    "returned": "b",
    "written_off": "x",
}
"""Of a reservation."""


class ReservationRow(Base):
    """An order's hold on units: held, then committed or released; a committed one may be returned.

    The `attempt` that holds it alone may withdraw it, and another one may then hold units again; 0 when attempts share
    it.

    Units of a cancelled order that do not come back are written off, whether it was held or committed before.

    `sold_out` are products whose last unit on hand it took, with the versions of their items then.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        CheckConstraint("state IN ('h', 'w', 'c', 'r', 'b', 'x')", name="known_state"),
        CheckConstraint("(state = 'h') = (expires_at IS NOT NULL)", name="only_a_hold_expires"),
        {"sqlite_with_rowid": False},
    )

    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(Coded(STATE_CODES, 16))
    attempt: Mapped[int] = mapped_column(default=0)
    units: Mapped[dict[int, int]] = mapped_column(Document(dict[int, int]))
    expires_at: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]
    committed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    sold_out: Mapped[dict[int, int] | None] = mapped_column(Document(dict[int, int]))


_HELD = ReservationRow.state == "held"
Index("reservation_held", ReservationRow.expires_at, sqlite_where=_HELD, postgresql_where=_HELD)


ORDERED: Final = "ordered"
_REASON_CODES: Final = {ORDERED: ""}
"""Of nearly all movements; nobody gives a reason that is empty."""


class MovementRow(Base):
    """A line of the ledger: what is on hand is the sum of its lines.

    It names the `previous` one of its product, and the item names the last one. An index would do as well, but it is a
    page more to change for each line.
    """

    __tablename__ = "movement"

    id: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    product_id: Mapped[int]
    delta: Mapped[int]
    on_hand: Mapped[int]
    version: Mapped[int]
    reason: Mapped[str] = mapped_column(Coded(_REASON_CODES, 200))
    reference: Mapped[UUID | None]
    actor: Mapped[UUID | None]
    at: Mapped[datetime]
    previous: Mapped[int | None]

"""What the books of a shop say of its orders and units."""

from __future__ import annotations

from collections import Counter
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from ecshop.events.catalog import OrderCancelled, OrderConfirmed
from ecshop.events.tables import Outbox
from ecshop.order.models import OrderRow
from ecshop.stock import items
from ecshop.stock.models import ItemRow, MovementRow, ReservationRow

LIVE: Final = ("confirmed", "fulfilled")


def recorded(session: Session) -> list[UUID]:
    query = select(OrderRow.id).where(OrderRow.user_id.is_not(None)).order_by(OrderRow.placed_at)
    return list(session.scalars(query))


def buyers(session: Session) -> Counter[UUID | None]:
    """How many orders each has."""
    return Counter(session.scalars(select(OrderRow.user_id)))


def gone(session: Session) -> dict[int, int]:
    """What is sold, or lost."""
    is_gone = or_(OrderRow.status.in_(LIVE), OrderRow.restock.is_(False))
    sold: Counter[int] = Counter()
    for lines in session.scalars(select(OrderRow.lines).where(is_gone)):
        sold.update({line.product_id: line.quantity for line in lines})
    return sold


def struck_off(session: Session) -> dict[int, int]:
    lines = select(MovementRow.product_id, func.sum(MovementRow.delta))
    struck = lines.where(MovementRow.reason.in_((items.REMOVED, items.DELETED)))
    return dict(session.execute(struck.group_by(MovementRow.product_id)).all())


def on_hand(session: Session) -> dict[int, int]:
    return dict(session.execute(select(ItemRow.product_id, ItemRow.on_hand)).all())


def held(session: Session) -> list[tuple[UUID, int]]:
    held = select(ReservationRow.order_id, ReservationRow.attempt).where(ReservationRow.state == "held")
    return [(order, attempt) for order, attempt in session.execute(held)]


def unheard(session: Session) -> bool:
    return session.scalar(select(Outbox.seq).where(Outbox.heard_at.is_(None)).limit(1)) is not None


def facts(session: Session) -> dict[tuple[str, UUID], int]:
    """What must have been told of the orders: of one that was given up nothing but its end."""
    told: dict[tuple[str, UUID], int] = {}
    for order in session.scalars(select(OrderRow)):
        if order.user_id is not None:
            told[OrderConfirmed.type, order.id] = 1
        if order.status == "cancelled":
            told[OrderCancelled.type, order.id] = 1
    return told

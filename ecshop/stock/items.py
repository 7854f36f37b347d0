"""What staff does with units: register, set, adjust and remove them, and read the ledger."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ecshop.events.catalog import StockDepleted, StockReplenished
from ecshop.events.outbox import record
from ecshop.kernel.columns import now
from ecshop.kernel.paging import Order
from ecshop.stock.contract import (
    MAX_UNITS,
    Adjustment,
    Movement,
    MovementPage,
    NewStock,
    StockExists,
    StockItem,
    StockLimit,
    StockNotFound,
    StockPage,
    StockReserved,
)
from ecshop.stock.levels import Level, Levels
from ecshop.stock.models import ItemRow, MovementRow

REGISTERED, SET, REMOVED = "registered", "set", "removed"


def get(session: Session, product_id: int) -> StockItem:
    row = session.get(ItemRow, product_id)
    if row is None:
        raise _missing(product_id)
    return _item(row)


def list_items(session: Session, cursor: str | None, limit: int) -> StockPage:
    order = Order("product_id", ItemRow.product_id, ItemRow.product_id)
    rows = session.scalars(order.page(select(ItemRow), cursor, limit)).all()
    page, next_cursor = order.cut(rows, limit)
    return StockPage(tuple(_item(row) for row in page), next_cursor)


def list_movements(session: Session, product_id: int, cursor: str | None, limit: int) -> MovementPage:
    order = Order("-id", MovementRow.id, MovementRow.id)
    query = select(MovementRow).where(MovementRow.product_id == product_id)
    rows = session.scalars(order.page(query, cursor, limit)).all()
    if not rows and cursor is None:
        raise _missing(product_id)
    page, next_cursor = order.cut(rows, limit)
    told = (Movement(row.id, row.delta, row.on_hand, row.reason, row.reference, row.at) for row in page)
    return MovementPage(tuple(told), next_cursor)


def register(session: Session, new: NewStock) -> StockItem:
    if session.get(ItemRow, new.product_id) is not None:
        raise StockExists(f"stock of product {new.product_id} is registered already; adjust it instead")
    version = 1 + _last_version(session, new.product_id)
    row = ItemRow(product_id=new.product_id, on_hand=new.stock, reserved=0, version=version)
    session.add(row)
    session.add(_movement(row, new.stock, REGISTERED))
    news = StockReplenished if new.stock else StockDepleted
    record(session, [news(row.product_id, row.version)])
    return _item(row)


def adjust(session: Session, product_id: int, adjustment: Adjustment) -> StockItem:
    return _move(session, product_id, adjustment.reason, delta=adjustment.delta)


def set_level(session: Session, product_id: int, stock: int) -> StockItem:
    return _move(session, product_id, SET, stock=stock)


def remove(session: Session, product_id: int) -> None:
    row = session.get(ItemRow, product_id, with_for_update=True)
    if row is None:
        raise _missing(product_id)
    if row.reserved:
        raise _reserved(row.reserved)
    row.version += 1
    session.add(_movement(row, -row.on_hand, REMOVED))
    record(session, [StockDepleted(product_id, row.version)])
    session.delete(row)


def _move(session: Session, product_id: int, reason: str, *, delta: int = 0, stock: int | None = None) -> StockItem:
    levels = Levels(session, [product_id])
    level = levels.get(product_id)
    if level is None:
        raise _missing(product_id)
    change = delta if stock is None else stock - level.on_hand
    if level.on_hand + change < level.reserved:
        raise _reserved(level.reserved)
    if level.on_hand + change > MAX_UNITS:
        raise StockLimit(f"at most {MAX_UNITS} units can be on hand")
    if change:
        levels.move(product_id, change, reason)
        levels.save()
    return _item(level)


def _movement(row: ItemRow, delta: int, reason: str) -> MovementRow:
    return MovementRow(
        product_id=row.product_id,
        delta=delta,
        on_hand=max(0, delta),
        version=row.version,
        reason=reason,
        reference=None,
        at=now(),
    )


def _last_version(session: Session, product_id: int) -> int:
    newest = select(func.max(MovementRow.version)).where(MovementRow.product_id == product_id)
    return session.scalar(newest) or 0


def _item(item: ItemRow | Level) -> StockItem:
    return StockItem(item.product_id, item.on_hand, item.reserved, item.on_hand - item.reserved, item.version)


def _missing(product_id: int) -> StockNotFound:
    return StockNotFound(f"no stock is registered for product {product_id}")


def _reserved(units: int) -> StockReserved:
    return StockReserved(f"{units} units are promised to orders", reserved=units)

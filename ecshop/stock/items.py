"""What staff does with units: register, set, adjust and remove them, and read the ledger."""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ecshop.events.catalog import StockDepleted, StockReplenished
from ecshop.events.outbox import record
from ecshop.kernel.clock import now
from ecshop.kernel.db.keyset import Keyset
from ecshop.kernel.db.mapping import struct_of
from ecshop.kernel.values import Page
from ecshop.stock.contract import (
    MAX_UNITS,
    Adjustment,
    Movement,
    NewStock,
    StockExists,
    StockItem,
    StockLimit,
    StockNotFound,
    StockReserved,
)
from ecshop.stock.levels import Level, Levels
from ecshop.stock.models import ItemRow, MovementRow

REGISTERED, SET, REMOVED = "registered", "set", "removed"

_BY_PRODUCT: Final = Keyset("product_id", ItemRow.product_id, ItemRow.product_id)
_NEWEST_FIRST: Final = Keyset("-id", MovementRow.id, MovementRow.id)
_movement: Final = partial(struct_of, Movement)


def get(session: Session, product_id: int) -> StockItem:
    row = session.get(ItemRow, product_id)
    if row is None:
        raise _missing(product_id)
    return _item(row)


def list_items(session: Session, cursor: str | None, limit: int) -> Page[StockItem]:
    return _BY_PRODUCT.fetch(session, select(ItemRow), cursor, limit, _item)


def list_movements(session: Session, product_id: int, cursor: str | None, limit: int) -> Page[Movement]:
    query = select(MovementRow).where(MovementRow.product_id == product_id)
    page = _NEWEST_FIRST.fetch(session, query, cursor, limit, _movement)
    if not page.items and cursor is None:
        raise _missing(product_id)
    return page


def register(session: Session, new: NewStock) -> StockItem:
    if session.get(ItemRow, new.product_id) is not None:
        raise StockExists(f"stock of product {new.product_id} is registered already; adjust it instead")
    version = 1 + _last_version(session, new.product_id)
    row = ItemRow(product_id=new.product_id, on_hand=new.stock, reserved=0, version=version)
    session.add(row)
    session.add(_movement_of(row, new.stock, REGISTERED))
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
        raise _reserved(row)
    row.version += 1
    session.add(_movement_of(row, -row.on_hand, REMOVED))
    record(session, [StockDepleted(product_id, row.version)])
    session.delete(row)


def _move(session: Session, product_id: int, reason: str, *, delta: int = 0, stock: int | None = None) -> StockItem:
    levels = Levels(session, [product_id])
    level = levels.get(product_id)
    if level is None:
        raise _missing(product_id)
    change = delta if stock is None else stock - level.on_hand
    if level.on_hand + change < level.reserved:
        raise _reserved(level)
    if level.on_hand + change > MAX_UNITS:
        raise StockLimit(f"at most {MAX_UNITS} units can be on hand")
    if change:
        levels.move(product_id, change, reason)
        levels.save()
    return _item(level)


def _movement_of(row: ItemRow, delta: int, reason: str) -> MovementRow:
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
    return struct_of(StockItem, item, stock=item.on_hand, available=item.on_hand - item.reserved)


def _missing(product_id: int) -> StockNotFound:
    return StockNotFound(f"no stock is registered for product {product_id}")


def _reserved(item: ItemRow | Level) -> StockReserved:
    promised = f", and {item.reserved} of them are promised to orders" if item.reserved else ""
    return StockReserved(f"{item.on_hand} units are on hand{promised}", on_hand=item.on_hand, reserved=item.reserved)

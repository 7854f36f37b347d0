"""What staff does with units: register, set, adjust and remove them, and read the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ecshop.events.audit import note
from ecshop.events.catalog import ProductDeleted, StockDepleted, StockReplenished
from ecshop.events.outbox import record
from ecshop.kernel.clock import now
from ecshop.kernel.conditions import UNCONDITIONAL, Conditions
from ecshop.kernel.db.keyset import Keyset
from ecshop.kernel.db.mapping import struct_of
from ecshop.kernel.identity import Actor
from ecshop.kernel.values import Page
from ecshop.product.contract import ProductNotFound
from ecshop.stock.contract import (
    MAX_UNITS,
    Adjustment,
    Movement,
    NewStock,
    StockExists,
    StockFilter,
    StockItem,
    StockLevel,
    StockLimit,
    StockNotFound,
    StockReserved,
)
from ecshop.stock.ledger import Ledger
from ecshop.stock.levels import OPEN, Level, Levels, first_version
from ecshop.stock.models import ItemRow, MovementRow

REGISTERED, SET, REMOVED, DELETED = "registered", "set", "removed", "deleted"

_BY_PRODUCT: Final = Keyset("product_id", ItemRow.product_id, ItemRow.product_id)
_movement: Final = partial(struct_of, Movement)


def get(session: Session, product_id: int) -> StockItem:
    row = session.get(ItemRow, product_id)
    if row is None or row.state != OPEN:
        raise _missing(product_id)
    return _item(row)


def get_many(session: Session, product_ids: Sequence[int]) -> list[StockItem]:
    found = select(ItemRow).where(ItemRow.product_id.in_(product_ids), ItemRow.state == OPEN)
    return [_item(row) for row in session.scalars(found.order_by(ItemRow.product_id))]


def list_items(session: Session, wanted: StockFilter, cursor: str | None, limit: int) -> Page[StockItem]:
    """Low ones are looked for through all: an index of them would change with every order."""
    query = select(ItemRow).where(ItemRow.state == OPEN)
    if wanted.updated_after is not None:
        query = query.where(ItemRow.updated_at > wanted.updated_after)
    if wanted.low:
        query = query.where(ItemRow.on_hand - ItemRow.reserved <= ItemRow.low_mark)
    return _BY_PRODUCT.fetch(session, query, cursor, limit, _item)


def list_movements(session: Session, product_id: int, cursor: str | None, limit: int) -> Page[Movement]:
    page = Ledger(product_id).fetch(session, select(MovementRow), cursor, limit, _movement)
    if not page.items and cursor is None:
        raise _missing(product_id)
    return page


def register(session: Session, actor: Actor, new: NewStock) -> StockItem:
    """Also for a product that was kept before: its units are added to what orders have given back since."""
    row = session.get(ItemRow, new.product_id, with_for_update=True)
    if row is None:
        row = _new_item(session, new.product_id, OPEN)
    elif row.state == OPEN:
        raise StockExists(f"stock of product {new.product_id} is registered already; adjust it instead")
    elif row.state == DELETED:
        raise ProductNotFound(f"product {new.product_id} was deleted", product_ids=[new.product_id])
    _check_limit(row.on_hand, new.stock)
    row.state, row.low_mark = OPEN, new.low_mark
    _move_units(session, row, new.stock, REGISTERED, actor.user_id)
    note(session, actor, "stock.registered", f"product {row.product_id}", after={"stock": row.on_hand})
    news = StockReplenished if row.on_hand else StockDepleted
    record(session, [news(row.product_id, row.version)])
    return _item(row)


def adjust(
    session: Session, actor: Actor, product_id: int, adjustment: Adjustment, conditions: Conditions = UNCONDITIONAL
) -> StockItem:
    return _move(session, actor, product_id, adjustment.reason, conditions, delta=adjustment.delta)


def set_level(
    session: Session, actor: Actor, product_id: int, level: StockLevel, conditions: Conditions = UNCONDITIONAL
) -> StockItem:
    if isinstance(level.stock, int):
        _move(session, actor, product_id, SET, conditions, stock=level.stock)
    else:
        conditions.require_seen(get(session, product_id))
    if isinstance(level.low_mark, int):
        _mark(session, actor, product_id, level.low_mark)
    return get(session, product_id)


def remove(session: Session, actor: Actor, product_id: int, conditions: Conditions = UNCONDITIONAL) -> None:
    row = session.get(ItemRow, product_id, with_for_update=True)
    if row is None or row.state != OPEN:
        raise _missing(product_id)
    conditions.require_seen(_item(row))
    if row.reserved:
        raise _reserved(row)
    note(session, actor, "stock.removed", f"product {product_id}", before={"stock": row.on_hand})
    _close(session, row, REMOVED, actor.user_id)


def forget_deleted(session: Session, events: Sequence[ProductDeleted]) -> list[str]:
    """What no order was promised is struck off; a product that is registered after its end is refused."""
    return [_forget(session, event.product_id) for event in events]


def _forget(session: Session, product_id: int) -> str:
    row = session.get(ItemRow, product_id, with_for_update=True)
    if row is None:
        session.add(
            ItemRow(product_id=product_id, on_hand=0, reserved=0, version=first_version(session), state=DELETED)
        )
        return "closed before it was registered"
    if row.state == OPEN:
        _close(session, row, DELETED)
    row.state = DELETED
    return "closed"


def _new_item(session: Session, product_id: int, state: str) -> ItemRow:
    row = ItemRow(product_id=product_id, on_hand=0, reserved=0, version=first_version(session), state=state)
    session.add(row)
    return row


def _close(session: Session, row: ItemRow, state: str, actor: UUID | None = None) -> None:
    row.state = state
    _move_units(session, row, row.reserved - row.on_hand, state, actor)
    record(session, [StockDepleted(row.product_id, row.version)])


def _mark(session: Session, actor: Actor, product_id: int, low_mark: int) -> None:
    row = session.get_one(ItemRow, product_id, with_for_update=True)
    if row.low_mark != low_mark:
        before, row.low_mark, row.updated_at = {"low_mark": row.low_mark}, low_mark, now()
        note(session, actor, "stock.marked", f"product {product_id}", before, {"low_mark": low_mark})
        session.flush()


def _move(
    session: Session,
    actor: Actor,
    product_id: int,
    reason: str,
    conditions: Conditions,
    *,
    delta: int = 0,
    stock: int | None = None,
) -> StockItem:
    levels = Levels(session, [product_id], actor.user_id)
    level = levels.get(product_id)
    if level is None or level.state != OPEN:
        raise _missing(product_id)
    conditions.require_seen(get(session, product_id))
    change = delta if stock is None else stock - level.on_hand
    if level.on_hand + change < level.reserved:
        raise _reserved(level)
    _check_limit(level.on_hand, change)
    if change:
        before = {"stock": level.on_hand}
        levels.move(product_id, change, reason)
        levels.save()
        after = {"stock": level.on_hand, "reason": reason}
        note(session, actor, "stock.adjusted", f"product {product_id}", before, after)
    return get(session, product_id)


def _move_units(session: Session, row: ItemRow, delta: int, reason: str, actor: UUID | None) -> None:
    row.on_hand += delta
    row.version += 1
    row.updated_at = now()
    movement = MovementRow(
        product_id=row.product_id,
        delta=delta,
        on_hand=row.on_hand,
        version=row.version,
        reason=reason,
        reference=None,
        actor=actor,
        at=row.updated_at,
        previous=row.last_movement,
    )
    session.add(movement)
    session.flush()
    row.last_movement = movement.id


def _check_limit(on_hand: int, delta: int) -> None:
    if delta > 0 and on_hand + delta > MAX_UNITS:
        raise StockLimit(f"at most {MAX_UNITS} units can be on hand")


def _item(item: ItemRow) -> StockItem:
    available = item.on_hand - item.reserved
    seen = {"in_stock": available > 0, "low_stock": available <= item.low_mark}
    return struct_of(StockItem, item, stock=item.on_hand, available=available, **seen)


def _missing(product_id: int) -> StockNotFound:
    return StockNotFound(f"no stock is registered for product {product_id}")


def _reserved(item: ItemRow | Level) -> StockReserved:
    promised = f", and {item.reserved} of them are promised to orders" if item.reserved else ""
    return StockReserved(f"{item.on_hand} units are on hand{promised}", on_hand=item.on_hand, reserved=item.reserved)

"""Orders in the database. Each function runs inside somebody's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from ecshop.events.catalog import OrderCancelled, OrderConfirmed, OrderedUnits, OrderFulfilled, ReservationExpired
from ecshop.events.outbox import record as record_events
from ecshop.kernel.columns import now, table_of
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.paging import Order as ListOrder
from ecshop.order.contract import (
    IdempotencyKeyReused,
    Order,
    OrderExpired,
    OrderLine,
    OrderNotConfirmed,
    OrderNotFound,
    OrderPage,
    Status,
)
from ecshop.order.models import OrderLineRow, OrderRow

CONFIRMED, FULFILLED, CANCELLED = "confirmed", "fulfilled", "cancelled"

_ORDER: Final = OrderRow.__table__.c
_KNOWN: Final = select(_ORDER.id).where(_ORDER.id.in_(bindparam("orders", expanding=True)))
_ADD: Final = insert(table_of(OrderRow))
_ADD_LINES: Final = insert(table_of(OrderLineRow))


class Placement(NamedTuple):
    """An order to be recorded; `fingerprint` tells what was asked for under an idempotency key."""

    order: Order
    fingerprint: str | None


def record(session: Session, placements: Sequence[Placement]) -> list[Order | EcshopError]:
    """Record the orders with their events; one that is known already is answered as `repeated` says."""
    known = set(session.connection().execute(_KNOWN, {"orders": [one.order.id for one in placements]}).scalars().all())
    fresh: dict[UUID, Placement] = {}
    outcomes: list[Order | EcshopError] = []
    for one in placements:
        if one.order.id in known:
            outcomes.append(_outcome(session, one.order.id, one.fingerprint))
        elif one.order.id in fresh:
            first = fresh[one.order.id]
            outcomes.append(first.order if first.fingerprint == one.fingerprint else _reused())
        else:
            fresh[one.order.id] = one
            outcomes.append(one.order)
    _add(session, list(fresh.values()))
    return outcomes


def repeated(session: Session, order_id: UUID, fingerprint: str | None) -> Order | None:
    """The order that came of an earlier request with the same idempotency key, if there was one.

    Raises `IdempotencyKeyReused` when that request asked for something else, `OrderExpired` when it was given up.
    """
    row = session.get(OrderRow, order_id)
    if row is None:
        return None
    if row.user_id is None:
        raise OrderExpired("the order was given up; place it again with a new Idempotency-Key")
    if row.fingerprint != fingerprint:
        raise _reused()
    return _order(row)


def get(session: Session, actor: Actor, order_id: UUID) -> Order:
    return _order(_row(session, order_id, actor))


def list_orders(session: Session, actor: Actor, status: Status | None, cursor: str | None, limit: int) -> OrderPage:
    order = ListOrder("-placed_at", OrderRow.placed_at, OrderRow.id)
    query = select(OrderRow).where(OrderRow.user_id.is_not(None))
    if not actor.role.includes(Role.STAFF):
        query = query.where(OrderRow.user_id == actor.user_id)
    if status is not None:
        query = query.where(OrderRow.status == status)
    rows = session.scalars(order.page(query, cursor, limit)).all()
    page, next_cursor = order.cut(rows, limit)
    return OrderPage(tuple(_order(row) for row in page), next_cursor)


def cancel(session: Session, actor: Actor, order_id: UUID) -> Order:
    row = _row(session, order_id, actor, lock=True)
    if row.status != CANCELLED:
        _move_on(row, CANCELLED)
        record_events(session, [OrderCancelled(row.id, row.version)])
    return _order(row)


def fulfil(session: Session, order_id: UUID) -> Order:
    row = _row(session, order_id, lock=True)
    if row.status != FULFILLED:
        _move_on(row, FULFILLED)
        record_events(session, [OrderFulfilled(row.id, row.version)])
    return _order(row)


def give_up(session: Session, events: Sequence[ReservationExpired]) -> list[str]:
    """Units are still held for these orders: those that were never recorded now never will be.

    The others tell their news again: its first telling may lie among the dead letters.
    """
    told: list[str] = []
    for event in events:
        row = session.get(OrderRow, event.order_id, with_for_update=True)
        if row is None:
            row = OrderRow(id=event.order_id, status=CANCELLED, version=1, total=0, currency="", placed_at=now())
            session.add(row)
            session.flush()
            told.append("given up")
        else:
            told.append(f"told again: {row.status}")
        news = OrderCancelled(row.id, row.version) if row.status == CANCELLED else _confirmed(_order(row))
        record_events(session, [news])
    return told


def _outcome(session: Session, order_id: UUID, fingerprint: str | None) -> Order | EcshopError:
    try:
        order = repeated(session, order_id, fingerprint)
    except (OrderExpired, IdempotencyKeyReused) as refusal:
        return refusal
    assert order is not None
    return order


def _reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused("this Idempotency-Key came with another order before; take a new one")


def _add(session: Session, placements: Sequence[Placement]) -> None:
    if not placements:
        return
    orders = [one.order for one in placements]
    connection = session.connection()
    connection.execute(_ADD, [_order_values(one) for one in placements])
    connection.execute(_ADD_LINES, [values for order in orders for values in _line_values(order)])
    record_events(session, (_confirmed(order) for order in orders))


def _order_values(placement: Placement) -> dict[str, Any]:
    order = placement.order
    return {
        "id": order.id,
        "status": order.status,
        "version": 1,
        "user_id": order.user_id,
        "total": order.total,
        "currency": order.currency,
        "placed_at": order.placed_at,
        "fingerprint": placement.fingerprint,
    }


def _line_values(order: Order) -> Iterable[dict[str, Any]]:
    for place, line in enumerate(order.lines):
        yield {
            "order_id": order.id,
            "place": place,
            "product_id": line.product_id,
            "name": line.name,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
        }


def _confirmed(order: Order) -> OrderConfirmed:
    units = tuple(OrderedUnits(line.product_id, line.quantity) for line in order.lines)
    return OrderConfirmed(order.id, 1, order.user_id, units, order.total, order.currency)


def _row(session: Session, order_id: UUID, actor: Actor | None = None, *, lock: bool = False) -> OrderRow:
    row = session.get(OrderRow, order_id, with_for_update=lock or None)
    if row is None or row.user_id is None or not _may_see(actor, row.user_id):
        raise OrderNotFound(f"there is no order {order_id}")
    return row


def _may_see(actor: Actor | None, owner: UUID) -> bool:
    return actor is None or actor.role.includes(Role.STAFF) or actor.user_id == owner


def _move_on(row: OrderRow, status: str) -> None:
    if row.status != CONFIRMED:
        raise OrderNotConfirmed(f"the order is {row.status}", order_status=row.status)
    row.status = status
    row.version += 1


def _order(row: OrderRow) -> Order:
    assert row.user_id is not None
    lines = tuple(
        OrderLine(line.product_id, line.name, line.quantity, line.unit_price, line.quantity * line.unit_price)
        for line in row.lines
    )
    status = cast(Status, row.status)
    return Order(row.id, status, row.user_id, lines, row.total, row.currency, row.placed_at)

"""Orders in the database. Each function runs inside somebody's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from msgspec.structs import astuple, replace
from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from ecshop.events.audit import note
from ecshop.events.catalog import OrderCancelled, OrderConfirmed, OrderedUnits, OrderFulfilled, ReservationExpired
from ecshop.events.envelope import id_of
from ecshop.events.outbox import record as record_events
from ecshop.kernel.clock import now
from ecshop.kernel.conditions import UNCONDITIONAL, Conditions, IdempotencyKeyReused
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.keyset import fetch
from ecshop.kernel.db.many import KEYS, execute_many, select_many
from ecshop.kernel.db.mapping import assign, given, struct_of
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.telemetry.cause import UNKNOWN, Cause
from ecshop.kernel.telemetry.trace import context_of
from ecshop.kernel.values import Page
from ecshop.order import search
from ecshop.order.contract import (
    Cancellation,
    Order,
    OrderExpired,
    OrderFilter,
    OrderLine,
    OrderNotConfirmed,
    OrderNotFound,
    OrderTimeline,
)
from ecshop.order.models import (
    CANCELLED,
    CONFIRMED,
    FULFILLED,
    STEP,
    OrderOfProductRow,
    OrderRow,
    RecordedLine,
    RecordedSteps,
    second_of,
)

CUSTOMER, STAFF, SHOP = "customer", "staff", "shop"
GIVEN_UP: Final = "the order took too long and was given up; place it again"
REUSED: Final = "this Idempotency-Key came with another order before; take a new one"

_IDS: Final = select(OrderRow.id).where(OrderRow.id.in_(bindparam(KEYS, expanding=True)))
_ORDERS: Final = select(OrderRow).where(OrderRow.id.in_(bindparam(KEYS, expanding=True)))
_ADD: Final = insert(table_of(OrderRow))
_ADD_PRODUCTS: Final = insert(table_of(OrderOfProductRow))


class Attempt(NamedTuple):
    """A request with an idempotency key: the order id that is made from it, and what was asked for."""

    order_id: UUID
    fingerprint: bytes


class Steps(NamedTuple):
    """When an order was asked for, quoted and reserved."""

    began: datetime
    quoted: datetime
    reserved: datetime


class Placement(NamedTuple):
    """An order to be recorded; `fingerprint` is what was asked for under an idempotency key."""

    order: Order
    fingerprint: bytes | None
    cause: Cause = UNKNOWN
    steps: Steps | None = None


def find_repeated(session: Session, attempts: Sequence[Attempt]) -> list[Order | EcshopError | None]:
    """The orders that came of earlier requests with the same keys, None where there was none."""
    known = _known(session, (attempt.order_id for attempt in attempts))
    return [_repeat(known.get(attempt.order_id), attempt.fingerprint) for attempt in attempts]


def record(session: Session, placements: Sequence[Placement]) -> list[Order | EcshopError]:
    """Record the orders with their events; one that is known already is answered as a repeat."""
    known = _known(session, (one.order.id for one in placements))
    fresh: dict[UUID, Placement] = {}
    outcomes: list[Order | EcshopError] = []
    for one in placements:
        first = fresh.setdefault(one.order.id, one)
        repeat = _repeat(known.get(one.order.id), one.fingerprint)
        if repeat is not None:
            outcomes.append(repeat)
        else:
            outcomes.append(first.order if first.fingerprint == one.fingerprint else IdempotencyKeyReused(REUSED))
    _add(session, [one for order_id, one in fresh.items() if order_id not in known])
    return outcomes


def get(session: Session, actor: Actor, order_id: UUID) -> Order:
    return _order(_row(session, order_id, actor))


def timeline(session: Session, order_id: UUID) -> OrderTimeline:
    row = _row(session, order_id)
    order, context = _order(row), context_of(row.traceparent) if row.traceparent else None
    ended = {FULFILLED: _fulfilled, CANCELLED: _cancelled}.get(row.status)
    steps = row.steps or RecordedSteps(0, 0, 0, 0)
    began, quoted, reserved, recorded = (row.placed_at + step * STEP for step in astuple(steps))
    return OrderTimeline(
        order,
        row.request_id,
        context.trace_id if context else None,
        began_at=began,
        quoted_at=quoted,
        reserved_at=reserved,
        recorded_at=recorded,
        confirmed_event=UUID(id_of(_confirmed(order))),
        ended_by=row.ended_by,
        ended_event=UUID(id_of(ended(row))) if ended else None,
    )


def list_orders(session: Session, actor: Actor, wanted: OrderFilter, cursor: str | None, limit: int) -> Page[Order]:
    return fetch(session, [search.part(session, actor, wanted)], cursor, limit, _order)


def cancel(
    session: Session, actor: Actor, order_id: UUID, cancellation: Cancellation, conditions: Conditions = UNCONDITIONAL
) -> Order:
    row = _row(session, order_id, actor, lock=True)
    conditions.require_seen(_order(row))
    if row.status != CANCELLED:
        _end(row, CANCELLED, actor)
        row.cancelled_by = CUSTOMER if actor.user_id == row.user_id else STAFF
        assign(row, given(cancellation))
        if row.cancelled_by == STAFF:
            note(session, actor, "order.cancelled", f"order {row.id}", after=given(cancellation))
        record_events(session, [_cancelled(row)])
    return _order(row)


def fulfil(session: Session, actor: Actor, order_id: UUID, conditions: Conditions = UNCONDITIONAL) -> Order:
    row = _row(session, order_id, actor, lock=True)
    conditions.require_seen(_order(row))
    if row.status != FULFILLED:
        _end(row, FULFILLED, actor)
        record_events(session, [_fulfilled(row)])
    return _order(row)


def give_up(session: Session, events: Sequence[ReservationExpired]) -> list[str]:
    """Units are still held for these orders: those that were never recorded now never will be.

    Of the others the last event is recorded again, under the id that it had: it may lie among the dead letters.
    """
    outcomes: list[str] = []
    for event in events:
        row = session.get(OrderRow, event.order_id, with_for_update=True)
        if row is None:
            row = _tombstone(event.order_id)
            session.add(row)
            session.flush()
            outcomes.append("given up")
        else:
            outcomes.append(f"recorded again: {row.status}")
        again = _cancelled(row) if row.status == CANCELLED else _confirmed(_order(row))
        record_events(session, [replace(again, cause=event.cause)])
    return outcomes


def _known(session: Session, order_ids: Iterable[UUID]) -> dict[UUID, OrderRow]:
    """Most orders are new, so that there is a cheaper look than one at whole rows with their lines."""
    known = [order_id for (order_id,) in select_many(session, _IDS, order_ids)]
    return {row.id: row for row in session.scalars(_ORDERS, {KEYS: known})} if known else {}


def _repeat(row: OrderRow | None, fingerprint: bytes | None) -> Order | EcshopError | None:
    """What a request is answered whose order is known by this row; nothing when it is the first of its kind."""
    if row is None:
        return None
    if row.user_id is None:
        return OrderExpired(GIVEN_UP)
    return _order(row) if row.fingerprint == fingerprint else IdempotencyKeyReused(REUSED)


def _add(session: Session, placements: Sequence[Placement]) -> None:
    if not placements:
        return
    moment = now()
    execute_many(session, _ADD, [_order_values(one, moment) for one in placements])
    products = [
        {"product_id": line.product_id, "placed_second": second_of(one.order.placed_at), "order_id": one.order.id}
        for one in placements
        for line in one.order.lines
    ]
    execute_many(session, _ADD_PRODUCTS, products)
    record_events(session, (_confirmed(one.order, one.cause) for one in placements))


def _order_values(placement: Placement, moment: datetime) -> dict[str, Any]:
    order, cause, steps = placement.order, placement.cause, placement.steps
    return {
        "id": order.id,
        "status": order.status,
        "version": 1,
        "user_id": order.user_id,
        "total": order.total,
        "currency": order.currency,
        "lines": [RecordedLine(line.product_id, line.name, line.quantity, line.unit_price) for line in order.lines],
        "placed_at": order.placed_at,
        "restock": True,
        "fingerprint": placement.fingerprint,
        "request_id": cause.request_id or None,
        "traceparent": cause.traceparent or None,
        "steps": None if steps is None else RecordedSteps(*(_after(order.placed_at, at) for at in (*steps, moment))),
    }


def _after(placed_at: datetime, moment: datetime) -> int:
    return (moment - placed_at) // STEP


def _tombstone(order_id: UUID) -> OrderRow:
    moment = now()
    fields = {"status": CANCELLED, "version": 1, "total": 0, "currency": "", "lines": ()}
    return OrderRow(id=order_id, placed_at=moment, ended_at=moment, cancelled_by=SHOP, restock=True, **fields)


def _confirmed(order: Order, cause: Cause = UNKNOWN) -> OrderConfirmed:
    units = tuple([OrderedUnits(line.product_id, line.quantity) for line in order.lines])
    total, currency, placed_at = order.total, order.currency, order.placed_at
    return OrderConfirmed(order.id, 1, order.user_id, units, total, currency, cause=cause, happened_at=placed_at)


def _fulfilled(row: OrderRow) -> OrderFulfilled:
    return OrderFulfilled(row.id, row.version, happened_at=row.ended_at)


def _cancelled(row: OrderRow) -> OrderCancelled:
    return OrderCancelled(row.id, row.version, row.restock, happened_at=row.ended_at)


def _row(session: Session, order_id: UUID, actor: Actor | None = None, *, lock: bool = False) -> OrderRow:
    row = session.get(OrderRow, order_id, with_for_update=lock or None)
    if row is None or row.user_id is None or not _may_see(actor, row.user_id):
        raise OrderNotFound(f"there is no order {order_id}")
    return row


def _may_see(actor: Actor | None, owner: UUID) -> bool:
    return actor is None or actor.role.includes(Role.STAFF) or actor.user_id == owner


def _end(row: OrderRow, status: str, actor: Actor) -> None:
    if row.status != CONFIRMED:
        raise OrderNotConfirmed(f"the order is {row.status}", order_status=row.status)
    row.status, row.ended_at, row.ended_by = status, now(), actor.user_id
    row.version += 1


def _order(row: OrderRow) -> Order:
    lines = tuple(struct_of(OrderLine, line, subtotal=line.quantity * line.unit_price) for line in row.lines)
    times = {
        "updated_at": row.ended_at or row.placed_at,
        "fulfilled_at": row.ended_at if row.status == FULFILLED else None,
        "cancelled_at": row.ended_at if row.status == CANCELLED else None,
    }
    return struct_of(Order, row, lines=lines, **times)

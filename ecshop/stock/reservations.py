"""Units held for orders that are on their way. Each function serves many orders at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, insert, or_, select
from sqlalchemy.orm import Session

from ecshop.events.catalog import ReservationExpired
from ecshop.events.outbox import is_on_its_way, record
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.errors import EcshopError
from ecshop.stock.contract import (
    InsufficientStock,
    Line,
    Reservation,
    ReservationConflict,
    ReservationReleased,
)
from ecshop.stock.levels import Levels
from ecshop.stock.models import ReservationLineRow, ReservationRow

HELD, COMMITTED, RELEASED, RETURNED = "held", "committed", "released", "returned"
ASK_AGAIN: Final = timedelta(seconds=60)
_ASK_AT_ONCE: Final = 500

_ROW: Final = ReservationRow.__table__.c
_LINE: Final = ReservationLineRow.__table__.c
_STATES: Final = (
    select(_ROW.order_id, _ROW.state)
    .where(_ROW.order_id.in_(bindparam("orders", expanding=True)))
    .order_by(_ROW.order_id)
    .with_for_update()
)
_LINES: Final = select(_LINE.order_id, _LINE.product_id, _LINE.quantity).where(
    _LINE.order_id.in_(bindparam("orders", expanding=True))
)
ADD: Final = insert(table_of(ReservationRow))
_ADD_LINES: Final = insert(table_of(ReservationLineRow))


class Wanted(NamedTuple):
    order_id: UUID
    lines: tuple[Line, ...]
    expires_at: datetime


def reserve(session: Session, wanted: Sequence[Wanted]) -> list[Reservation | EcshopError]:
    """Serve them in the order of their arrival, all lines of one or none."""
    states = states_of(session, {one.order_id for one in wanted})
    repeated = lines_of(session, states) if states else {}
    levels = Levels(session, (line.product_id for one in wanted for line in one.lines))
    granted: list[Wanted] = []
    outcomes: list[Reservation | EcshopError] = []
    for one in wanted:
        if one.order_id in states:
            outcomes.append(_repeat(one, states[one.order_id], repeated[one.order_id]))
        elif short := _short(levels, one.lines):
            outcomes.append(InsufficientStock("not enough is available", lines=short))
        else:
            for line in one.lines:
                levels.hold(line.product_id, line.quantity)
            states[one.order_id], repeated[one.order_id] = HELD, _units(one.lines)
            granted.append(one)
            outcomes.append(Reservation(one.order_id, one.lines))
    _add(session, granted)
    levels.save()
    return outcomes


def ask_about_expired(session: Session, moment: datetime, longest: timedelta) -> int:
    """Ask what became of the orders whose time is over; only their answer releases anything.

    Nothing is asked while an earlier question is on its way. What expires later than a reservation can last, the
    `longest`, or was asked in the future, was written by a clock that was wrong: its time is over.
    """
    if is_on_its_way(session, ReservationExpired):
        return 0
    expires_at, asked_at = ReservationRow.expires_at, ReservationRow.asked_at
    overdue = (
        select(ReservationRow)
        .where(
            ReservationRow.state == HELD,
            or_(expires_at <= moment, expires_at > moment + longest),
            or_(asked_at.is_(None), asked_at <= moment - ASK_AGAIN, asked_at > moment),
        )
        .order_by(ReservationRow.expires_at)
        .limit(_ASK_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = session.scalars(overdue).all()
    for row in rows:
        row.asked_at = moment
    record(session, [ReservationExpired(row.order_id) for row in rows])
    return len(rows)


def _repeat(one: Wanted, state: str, lines: dict[int, int]) -> Reservation | EcshopError:
    if state in (RELEASED, RETURNED):
        return ReservationReleased("the order was given up; place it again as a new one")
    if lines != _units(one.lines):
        return ReservationConflict("other lines are held for this order")
    return Reservation(one.order_id, one.lines)


def _short(levels: Levels, lines: Sequence[Line]) -> list[dict[str, int]]:
    return [
        {"product_id": line.product_id, "quantity": line.quantity, "available": levels.available(line.product_id)}
        for line in lines
        if levels.available(line.product_id) < line.quantity
    ]


def states_of(session: Session, orders: set[UUID]) -> dict[UUID, str]:
    rows = session.connection().execute(_STATES, {"orders": sorted(orders)})
    return dict(rows.all())


def lines_of(session: Session, orders: Any) -> dict[UUID, dict[int, int]]:
    found: dict[UUID, dict[int, int]] = {order_id: {} for order_id in orders}
    for order_id, product_id, quantity in session.connection().execute(_LINES, {"orders": list(found)}).all():
        found[order_id][product_id] = quantity
    return found


def _units(lines: Sequence[Line]) -> dict[int, int]:
    return {line.product_id: line.quantity for line in lines}


def _add(session: Session, granted: Sequence[Wanted]) -> None:
    if not granted:
        return
    session.connection().execute(
        ADD, [{"order_id": one.order_id, "state": HELD, "expires_at": one.expires_at} for one in granted]
    )
    session.connection().execute(
        _ADD_LINES,
        [
            {"order_id": one.order_id, "product_id": line.product_id, "quantity": line.quantity}
            for one in granted
            for line in one.lines
        ],
    )

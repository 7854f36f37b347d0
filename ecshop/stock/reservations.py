"""Units held for orders that are on their way. Each function serves many orders at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy import bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import ReservationExpired, StockDepleted
from ecshop.events.envelope import id_of
from ecshop.events.outbox import is_on_its_way, record
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.many import KEYS, execute_many, select_many
from ecshop.kernel.db.transaction import Overtaken
from ecshop.kernel.errors import EcshopError
from ecshop.stock.contract import (
    InsufficientStock,
    Line,
    Reservation,
    ReservationConflict,
    ReservationNotFound,
    ReservationReleased,
    ReservationState,
    ReservationStatus,
    SoldOut,
)
from ecshop.stock.levels import Levels
from ecshop.stock.models import ReservationRow

HELD, WITHDRAWN = "held", "withdrawn"
COMMITTED, RELEASED, RETURNED, WRITTEN_OFF = "committed", "released", "returned", "written_off"
ASK_AGAIN: Final = timedelta(seconds=60)
_ASK_AT_ONCE: Final = 500

_ROW: Final = ReservationRow.__table__.c
_KNOWN_NOW: Final = (
    select(_ROW.order_id, _ROW.state, _ROW.attempt, _ROW.units)
    .where(_ROW.order_id.in_(bindparam(KEYS, expanding=True)))
    .order_by(_ROW.order_id)
)
_KNOWN: Final = _KNOWN_NOW.with_for_update()
_IS_IT: Final = _ROW.order_id == bindparam("order")
_HOLD_AGAIN: Final = (
    update(table_of(ReservationRow))
    .where(_IS_IT)
    .values(
        state=HELD, attempt=bindparam("by"), units=bindparam("wanted"), expires_at=bindparam("until"), asked_at=None
    )
)
_SHARE: Final = update(table_of(ReservationRow)).where(_IS_IT).values(attempt=0)
_WITHDRAW: Final = update(table_of(ReservationRow)).where(_IS_IT).values(state=WITHDRAWN, units={}, expires_at=None)
ADD: Final = insert(table_of(ReservationRow))


class Wanted(NamedTuple):
    order_id: UUID
    lines: tuple[Line, ...]
    expires_at: datetime
    attempt: int = 0


class Withdrawn(NamedTuple):
    order_id: UUID
    attempt: int


class Known(NamedTuple):
    state: str
    attempt: int
    units: dict[int, int]


def reserve(session: Session, wanted: Sequence[Wanted]) -> list[Reservation | EcshopError]:
    """Serve them in the order of their arrival, all lines of one or none."""
    known = known_of(session, {one.order_id for one in wanted})
    levels = Levels(session, (line.product_id for one in wanted for line in one.lines))
    granted: list[Wanted] = []
    again: list[Wanted] = []
    shared: list[UUID] = []
    outcomes: list[Reservation | EcshopError] = []
    for one in wanted:
        earlier = known.get(one.order_id)
        if earlier is not None and not _may_hold_again(one, earlier):
            outcomes.append(_repeat(one, earlier))
            if earlier.attempt != one.attempt:
                shared.append(one.order_id)
        elif short := _short(levels, one.lines):
            outcomes.append(InsufficientStock("not enough is available", lines=short))
        else:
            for line in one.lines:
                levels.hold(line.product_id, line.quantity)
            known[one.order_id] = Known(HELD, one.attempt, _units(one.lines))
            (granted if earlier is None else again).append(one)
            outcomes.append(Reservation(one.order_id, one.lines))
    _look_again(session, [one.order_id for one in wanted if one.order_id not in known])
    _add(session, granted, again)
    if shared:
        session.connection().execute(_SHARE, [{"order": order_id} for order_id in shared])
    levels.save()
    return outcomes


def withdraw(session: Session, withdrawn: Sequence[Withdrawn]) -> list[None]:
    """Give back what one attempt alone holds; what it has not held yet it never will."""
    known = known_of(session, {one.order_id for one in withdrawn})
    own = {one.order_id: earlier.units for one in withdrawn if (earlier := _held_by(one, known))}
    levels = Levels(session, (product for units in own.values() for product in units))
    for units in own.values():
        for product, quantity in units.items():
            levels.hold(product, -quantity)
    if own:
        session.connection().execute(_WITHDRAW, [{"order": order_id} for order_id in own])
    unknown = {one.order_id: one for one in withdrawn if one.order_id not in known}
    execute_many(
        session,
        ADD,
        [
            {"order_id": one.order_id, "state": WITHDRAWN, "attempt": one.attempt, "units": {}}
            for one in unknown.values()
        ],
    )
    levels.save()
    return [None] * len(withdrawn)


def count_held(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(ReservationRow).where(ReservationRow.state == HELD)) or 0


def count_overdue(session: Session) -> int:
    """Of those that are held: whose order is being asked for."""
    overdue = select(func.count()).select_from(ReservationRow).where(ReservationRow.state == HELD)
    return session.scalar(overdue.where(ReservationRow.expires_at <= now())) or 0


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


def _held_by(one: Withdrawn, known: Mapping[UUID, Known]) -> Known | None:
    earlier = known.get(one.order_id)
    return earlier if earlier and (earlier.state, earlier.attempt) == (HELD, one.attempt) else None


def _may_hold_again(one: Wanted, earlier: Known) -> bool:
    return earlier.state == WITHDRAWN and earlier.attempt != one.attempt


def _look_again(session: Session, refused: Sequence[UUID]) -> None:
    """An order that found too little may have lost it to itself: to a repeat that committed while this one waited.

    Raises `Overtaken`. Nothing is locked for it: whoever settles a reservation holds its row before the items, which
    are locked already.
    """
    if select_many(session, _KNOWN_NOW, sorted(refused)):
        raise Overtaken


def _repeat(one: Wanted, earlier: Known) -> Reservation | EcshopError:
    if earlier.state in (WITHDRAWN, RELEASED, RETURNED, WRITTEN_OFF):
        return ReservationReleased("the order was given up; place it again as a new one")
    if earlier.units != _units(one.lines):
        return ReservationConflict("other lines are held for this order")
    return Reservation(one.order_id, one.lines)


def _short(levels: Levels, lines: Sequence[Line]) -> list[dict[str, int]]:
    return [
        {"product_id": line.product_id, "quantity": line.quantity, "available": levels.available(line.product_id)}
        for line in lines
        if levels.available(line.product_id) < line.quantity
    ]


def status_of(session: Session, order_id: UUID) -> ReservationStatus:
    row = session.get(ReservationRow, order_id)
    if row is None:
        raise ReservationNotFound(f"no units were ever held for order {order_id}")
    state = cast(ReservationState, row.state)
    return ReservationStatus(order_id, state, row.committed_at, row.ended_at, tuple(_sold_out(row)))


def _sold_out(row: ReservationRow) -> Iterator[SoldOut]:
    for product_id, version in (row.sold_out or {}).items():
        event = StockDepleted(product_id, version, happened_at=row.committed_at)
        yield SoldOut(product_id, version, UUID(id_of(event)))


def known_of(session: Session, orders: Collection[UUID]) -> dict[UUID, Known]:
    """Locked until the transaction ends."""
    rows = select_many(session, _KNOWN, sorted(orders, key=attrgetter("int")))
    return {order_id: Known(*known) for order_id, *known in rows}


def _units(lines: Sequence[Line]) -> dict[int, int]:
    return {line.product_id: line.quantity for line in lines}


def _add(session: Session, granted: Sequence[Wanted], again: Sequence[Wanted]) -> None:
    held = [
        {
            "order_id": one.order_id,
            "state": HELD,
            "attempt": one.attempt,
            "units": _units(one.lines),
            "expires_at": one.expires_at,
        }
        for one in granted
    ]
    execute_many(session, ADD, held)
    if again:
        renewed = [
            {"order": one.order_id, "by": one.attempt, "wanted": _units(one.lines), "until": one.expires_at}
            for one in again
        ]
        session.connection().execute(_HOLD_AGAIN, renewed)

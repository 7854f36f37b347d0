"""What becomes of a reservation: its units leave the stock, or come free. Each function serves many orders at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import OrderCancelled, OrderConfirmed
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import table_of
from ecshop.stock.levels import Levels
from ecshop.stock.models import ReservationRow
from ecshop.stock.reservations import ADD, COMMITTED, HELD, RELEASED, RETURNED, WITHDRAWN, lines_of, states_of

_ROW: Final = ReservationRow.__table__.c
_SET_STATE: Final = (
    update(table_of(ReservationRow))
    .where(_ROW.order_id.in_(bindparam("orders", expanding=True)))
    .values(state=bindparam("becomes"))
)


def commit(session: Session, events: Sequence[OrderConfirmed]) -> list[str]:
    """The orders stand: their units leave the stock. A second event of the same order changes nothing."""
    states = states_of(session, {event.order_id for event in events})
    missing = [str(event.order_id) for event in events if states.get(event.order_id, WITHDRAWN) == WITHDRAWN]
    if missing:
        raise LookupError(f"confirmed, but never reserved: {', '.join(missing)}")
    held = [order_id for order_id, state in states.items() if state == HELD]
    lines = lines_of(session, held)
    levels = Levels(session, (product for units in lines.values() for product in units))
    requests = {event.order_id: event.request_id for event in events}
    for order_id, units in lines.items():
        for product, quantity in units.items():
            levels.hold(product, -quantity)
            levels.move(product, -quantity, "ordered", order_id, requests[order_id])
    _set_state(session, held, COMMITTED)
    levels.save()
    return ["committed" if states[event.order_id] == HELD else f"ignored: {states[event.order_id]}" for event in events]


def release(session: Session, events: Sequence[OrderCancelled]) -> list[str]:
    """The orders are off: what they held is free again, what they took comes back.

    An order that never reserved gets a released reservation, so that a reserve which was overtaken is refused.
    """
    states = states_of(session, {event.order_id for event in events})
    held = [order_id for order_id, state in states.items() if state in (HELD, WITHDRAWN)]
    taken = [order_id for order_id, state in states.items() if state == COMMITTED]
    unknown = list(dict.fromkeys(event.order_id for event in events if event.order_id not in states))
    lines = lines_of(session, [*held, *taken])
    levels = Levels(session, (product for units in lines.values() for product in units))
    requests = {event.order_id: event.request_id for event in events}
    for order_id, units in lines.items():
        for product, quantity in units.items():
            if states[order_id] == HELD:
                levels.hold(product, -quantity)
            else:
                levels.move(product, quantity, "order cancelled", order_id, requests[order_id])
    _set_state(session, held, RELEASED)
    _set_state(session, taken, RETURNED)
    if unknown:
        session.connection().execute(ADD, [_tombstone(order_id) for order_id in unknown])
    levels.save()
    outcomes = {
        HELD: "released",
        WITHDRAWN: "withdrawn before",
        COMMITTED: "returned",
        None: "released before it was reserved",
    }
    return [outcomes.get(state, f"ignored: {state}") for state in (states.get(event.order_id) for event in events)]


def _set_state(session: Session, orders: Sequence[UUID], state: str) -> None:
    if orders:
        session.connection().execute(_SET_STATE, {"orders": orders, "becomes": state})


def _tombstone(order_id: UUID) -> dict[str, Any]:
    return {"order_id": order_id, "state": RELEASED, "attempt": 0, "expires_at": now()}

"""What becomes of a reservation: its units leave the stock, or come free. Each function serves many orders at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, null, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import OrderCancelled, OrderConfirmed
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.many import KEYS, change_many, execute_many
from ecshop.stock.levels import Levels
from ecshop.stock.models import ORDERED, ReservationRow
from ecshop.stock.reservations import (
    ADD,
    COMMITTED,
    HELD,
    RELEASED,
    RETURNED,
    WITHDRAWN,
    WRITTEN_OFF,
    known_of,
)

_CANCELLED, _NOT_RESTOCKED = "order cancelled", "not restocked"

_ROW: Final = ReservationRow.__table__.c
_THESE: Final = update(table_of(ReservationRow)).where(_ROW.order_id.in_(bindparam(KEYS, expanding=True)))
_COMMIT: Final = _THESE.values(state=bindparam("becomes"), expires_at=null(), committed_at=bindparam("moment"))
_END: Final = _THESE.values(state=bindparam("becomes"), expires_at=null(), ended_at=bindparam("moment"))
_SOLD_OUT: Final = (
    update(table_of(ReservationRow)).where(_ROW.order_id == bindparam("order")).values(sold_out=bindparam("products"))
)


class _End(NamedTuple):
    state: str
    moves: Sequence[tuple[int, str]]
    """The lines of the ledger: the sign of the units, and the reason."""


_LOST: Final = ((1, _CANCELLED), (-1, _NOT_RESTOCKED))
_ENDS: Final[Mapping[tuple[str, bool], _End]] = {
    (HELD, True): _End(RELEASED, ()),
    (WITHDRAWN, True): _End(RELEASED, ()),
    (COMMITTED, True): _End(RETURNED, ((1, _CANCELLED),)),
    (HELD, False): _End(WRITTEN_OFF, ((-1, ORDERED), *_LOST)),
    (COMMITTED, False): _End(WRITTEN_OFF, _LOST),
}
"""Of a reservation whose order is cancelled, by its state and whether its units are restocked.

Units that are not leave the stock in either state, with the same lines: a cancellation may be heard before the order.
"""


def commit(session: Session, events: Sequence[OrderConfirmed]) -> list[str]:
    """The orders stand: their units leave the stock. A second event of the same order changes nothing."""
    causes = {event.order_id: event.cause for event in events}
    known = known_of(session, causes)
    states = [one.state if (one := known.get(event.order_id)) else WITHDRAWN for event in events]
    missing = [str(event.order_id) for event, state in zip(events, states, strict=True) if state == WITHDRAWN]
    if missing:
        raise LookupError(f"confirmed, but never reserved: {', '.join(missing)}")
    held = {order_id: one.units for order_id, one in known.items() if one.state == HELD}
    levels = Levels(session, (product for units in held.values() for product in units))
    sold_out: dict[UUID, dict[int, int]] = {}
    for order_id, units in held.items():
        for product, quantity in units.items():
            levels.hold(product, -quantity)
            levels.move(product, -quantity, ORDERED, order_id, causes[order_id])
            if version := levels.sold_out_at(product):
                sold_out.setdefault(order_id, {})[product] = version
    change_many(session, _COMMIT, list(held), becomes=COMMITTED, moment=levels.moment)
    if sold_out:
        last = [{"order": order_id, "products": products} for order_id, products in sold_out.items()]
        session.connection().execute(_SOLD_OUT, last)
    levels.save()
    return ["committed" if state == HELD else f"ignored: {state}" for state in states]


def release(session: Session, events: Sequence[OrderCancelled]) -> list[str]:
    """The orders are off: what they held is free again, what they took comes back, unless it is not to be restocked.

    An order that never reserved gets a released reservation, so that a reserve which was overtaken is refused.
    """
    causes = {event.order_id: event.cause for event in events}
    known = known_of(session, causes)
    states = {order_id: one.state for order_id, one in known.items()}
    told = [event for event in events if event.order_id in states]
    ends = {one.order_id: end for one in told if (end := _ENDS.get((states[one.order_id], one.restock)))}
    unknown = list(dict.fromkeys(event.order_id for event in events if event.order_id not in states))
    lines = {order_id: known[order_id].units for order_id in ends}
    levels = Levels(session, (product for units in lines.values() for product in units))
    for order_id, units in lines.items():
        for product, quantity in units.items():
            if states[order_id] == HELD:
                levels.hold(product, -quantity)
            for sign, reason in ends[order_id].moves:
                levels.move(product, sign * quantity, reason, order_id, causes[order_id])
    for state in (RELEASED, RETURNED, WRITTEN_OFF):
        ended = [order_id for order_id, end in ends.items() if end.state == state]
        change_many(session, _END, ended, becomes=state, moment=levels.moment)
    execute_many(session, ADD, [_tombstone(order_id, levels.moment) for order_id in unknown])
    levels.save()
    return [_outcome(states.get(event.order_id), ends.get(event.order_id)) for event in events]


def _outcome(state: str | None, end: _End | None) -> str:
    if state is None:
        return "released before it was reserved"
    return end.state if end else f"ignored: {state}"


def _tombstone(order_id: UUID, moment: datetime) -> dict[str, Any]:
    return {"order_id": order_id, "state": RELEASED, "attempt": 0, "units": {}, "ended_at": moment}

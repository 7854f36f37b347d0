"""Events on their travel, as they leave an outbox."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ecshop.events.catalog import (
    Event,
    OrderCancelled,
    OrderConfirmed,
    OrderedUnits,
    OrderFulfilled,
    ProductDeleted,
    ReservationExpired,
    StockDepleted,
    StockReplenished,
)
from ecshop.events.envelope import Envelope, envelope_of, id_of
from ecshop.events.packing import Packed, unpack
from ecshop.events.tables import Outbox

EXAMPLES: list[Event] = [
    OrderConfirmed(uuid7(), 1, uuid7(), (OrderedUnits(7, 2), OrderedUnits(9, 1)), 4700, "EUR"),
    OrderCancelled(uuid7(), 2),
    OrderCancelled(uuid7(), 2, restock=False),
    OrderFulfilled(uuid7(), 2),
    ProductDeleted(7),
    StockDepleted(7, 12),
    StockReplenished(7, 13),
    ReservationExpired(uuid7()),
]


def seal(event: Event) -> Envelope[Event]:
    return envelope_of(event, id_of(event))


def recorded(session: Session) -> list[Event]:
    """All that was recorded in this database, in its order."""
    rows = session.execute(select(*(getattr(Outbox, field) for field in Packed._fields)).order_by(Outbox.seq))
    found = [unpack(Packed(*row)) for row in rows]
    return [envelope.data for envelope in found if not isinstance(envelope, bytes)]

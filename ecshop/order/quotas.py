"""How much one customer may order in an hour, so that nobody takes a whole shop off sale without meaning to buy."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from ecshop.kernel.clock import Clock
from ecshop.kernel.db.database import Database
from ecshop.kernel.identity import Actor, Role
from ecshop.order.contract import NewOrder, QuotaExceeded, TooManyUnits
from ecshop.order.models import OrderRow

HOUR: Final = timedelta(hours=1)
_FRESH: Final = timedelta(minutes=1)
"""For how long a count is believed: what other processes have placed is seen after it."""
_MOST_KEPT: Final = 10_000
_MOST_ROWS: Final = 10_000


class Bounds(NamedTuple):
    """Of a customer in an hour, and of a product in an order; 0 is no bound."""

    hourly_orders: int = 0
    hourly_units: int = 0
    line_units: int = 0


NO_BOUNDS: Final = Bounds()


class Placed(NamedTuple):
    orders: int
    units: int
    since: datetime | None
    """When the first of them was placed."""


@dataclass(slots=True)
class _Count:
    placed: Placed
    counted_at: datetime
    orders: int = 0
    units: int = 0
    """What has begun in this process and was not counted there."""
    open_orders: int = 0
    open_units: int = 0
    """What of it has not ended."""


class Quotas:
    """Staff have none: they order for others."""

    def __init__(self, db: Database, bounds: Bounds, clock: Clock) -> None:
        self._db, self._bounds, self._clock = db, bounds, clock
        self._counts: OrderedDict[UUID, _Count] = OrderedDict()

    async def take(self, actor: Actor, new: NewOrder) -> None:
        """Count an order that begins. Raises `TooManyUnits` or `QuotaExceeded`, and then it is not counted."""
        bounds = self._bounds
        if actor.role.includes(Role.STAFF):
            return
        for line in new.lines:
            if bounds.line_units and line.quantity > bounds.line_units:
                most, product = bounds.line_units, line.product_id
                raise TooManyUnits(f"at most {most} of a product in an order", limit=most, product_id=product)
        if not (bounds.hourly_orders or bounds.hourly_units):
            return
        count, units = await self._count_of(actor.user_id), _units(new)
        is_over = bounds.hourly_orders and count.placed.orders + count.orders + 1 > bounds.hourly_orders
        has_too_many = bounds.hourly_units and count.placed.units + count.units + units > bounds.hourly_units
        if is_over or has_too_many:
            raise self._refusal(count)
        count.orders += 1
        count.units += units
        count.open_orders += 1
        count.open_units += units

    def end(self, actor: Actor, new: NewOrder, *, is_placed: bool) -> None:
        """An order that was counted has ended; one that came to nothing counts no longer."""
        count = self._counts.get(actor.user_id)
        if count is None or actor.role.includes(Role.STAFF):
            return
        units = _units(new)
        count.open_orders -= 1
        count.open_units -= units
        if not is_placed:
            count.orders -= 1
            count.units -= units

    async def _count_of(self, user_id: UUID) -> _Count:
        known = self._counts.get(user_id)
        moment = self._clock()
        if known is not None and moment - known.counted_at <= _FRESH:
            return known
        placed = await self._db.read_many(placed_since, (user_id, moment - HOUR))
        now_known = self._counts.get(user_id)
        if now_known is not known:  # another order of theirs has counted meanwhile
            return now_known or await self._count_of(user_id)
        open_orders, open_units = (known.open_orders, known.open_units) if known else (0, 0)
        count = _Count(placed, moment, open_orders, open_units, open_orders, open_units)
        self._counts[user_id] = count
        self._counts.move_to_end(user_id)
        if len(self._counts) > _MOST_KEPT:
            self._counts.popitem(last=False)
        return count

    def _refusal(self, count: _Count) -> QuotaExceeded:
        since = count.placed.since or count.counted_at
        wait = max(1, math.ceil((since + HOUR - self._clock()).total_seconds()))
        orders, units, _ = self._bounds
        most = " and ".join(f"{most} {what}" for most, what in ((orders, "orders"), (units, "units")) if most)
        return QuotaExceeded(f"a customer may order {most} in an hour; try again in {wait} s", retry_after=wait)


def placed_since(session: Session, wanted: Sequence[tuple[UUID, datetime]]) -> list[Placed]:
    """For each user, from a moment on."""
    return [_placed(session, user_id, moment) for user_id, moment in wanted]


def _placed(session: Session, user_id: UUID, moment: datetime) -> Placed:
    query = select(OrderRow.placed_at, OrderRow.lines).where(OrderRow.user_id == user_id, OrderRow.placed_at > moment)
    rows = session.execute(query.order_by(OrderRow.placed_at).limit(_MOST_ROWS)).all()
    units = sum(line.quantity for _, lines in rows for line in lines)
    return Placed(len(rows), units, rows[0][0] if rows else None)


def _units(new: NewOrder) -> int:
    return sum(line.quantity for line in new.lines)

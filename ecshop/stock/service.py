"""The rules of stock. One public method is one transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from ecshop.events.backoff import repeat
from ecshop.events.repeats import once
from ecshop.kernel.clock import Clock, now
from ecshop.kernel.conditions import UNCONDITIONAL, Conditions
from ecshop.kernel.db.database import Database
from ecshop.kernel.identity import Actor, Role, require_role
from ecshop.kernel.validation import wrong
from ecshop.kernel.values import Page
from ecshop.product.contract import ProductClient
from ecshop.stock import items, reservations
from ecshop.stock.contract import (
    Adjustment,
    InsufficientStock,
    Line,
    Movement,
    NewStock,
    Reservation,
    ReservationStatus,
    StockFilter,
    StockItem,
    StockLevel,
)

_LONGEST_WATCH: Final = 1.0


class StockService:
    """Satisfies `StockClient`: inside one process the service is the client."""

    def __init__(
        self,
        db: Database,
        product: ProductClient,
        *,
        reservation_seconds: float,
        public_numbers: bool = True,
        clock: Clock = now,
    ) -> None:
        """Numbers that are not public are for staff."""
        self._db, self._product, self._clock = db, product, clock
        self._public_numbers = public_numbers
        self._patience = timedelta(seconds=reservation_seconds)
        self.units: Counter[str] = Counter()
        """How many units orders have asked for that were reserved, or refused."""
        self.asked_about: Counter[str] = Counter()

    async def reserve(self, order_id: UUID, lines: Sequence[Line], attempt: int = 0) -> Reservation:
        if len({line.product_id for line in lines}) < len(lines) or not lines:
            raise wrong("lines", "must name at least one product, and each product once")
        wanted = reservations.Wanted(order_id, tuple(lines), self._clock() + self._patience, attempt)
        units = sum(line.quantity for line in lines)
        try:
            reserved = await self._db.write_many(reservations.reserve, wanted)
        except InsufficientStock as short:
            self.units["refused"] += units
            if self._public_numbers:
                raise
            raise _without_numbers(short) from None
        self.units["reserved"] += units
        return reserved

    async def withdraw(self, order_id: UUID, attempt: int) -> None:
        withdrawn = reservations.Withdrawn(order_id, attempt)
        await self._db.write_many(reservations.withdraw, withdrawn)

    async def reservation(self, _: Actor, order_id: UUID) -> ReservationStatus:
        return await self._db.read(reservations.status_of, order_id)

    async def get(self, product_id: int, actor: Actor | None = None) -> StockItem:
        return self._seen_by(actor, await self._db.read(items.get, product_id))

    async def get_many(self, product_ids: Sequence[int], actor: Actor | None = None) -> tuple[StockItem, ...]:
        found = await self._db.read(items.get_many, product_ids)
        return tuple(self._seen_by(actor, item) for item in found)

    async def list(self, actor: Actor | None, wanted: StockFilter, cursor: str | None, limit: int) -> Page[StockItem]:
        """Raises `InvalidCursor`."""
        if wanted.product_id:
            return Page(await self.get_many(wanted.product_id, actor), None)
        page = await self._db.read(items.list_items, wanted, cursor, limit)
        return Page(tuple(self._seen_by(actor, item) for item in page.items), page.next_cursor)

    async def movements(self, actor: Actor, product_id: int, cursor: str | None, limit: int) -> Page[Movement]:
        require_role(actor, Role.STAFF)
        return await self._db.read(items.list_movements, product_id, cursor, limit)

    async def register(self, actor: Actor, new: NewStock, conditions: Conditions = UNCONDITIONAL) -> StockItem:
        """Raises `IdempotencyKeyReused` besides."""
        require_role(actor, Role.STAFF)
        await self._product.get(new.product_id)
        return await self._db.write(once, conditions.repeat, StockItem, items.register, actor, new)

    async def adjust(
        self, actor: Actor, product_id: int, adjustment: Adjustment, conditions: Conditions = UNCONDITIONAL
    ) -> StockItem:
        """Raises `IdempotencyKeyReused` or `PreconditionFailed` besides."""
        require_role(actor, Role.STAFF)
        return await self._db.write(
            once, conditions.repeat, StockItem, items.adjust, actor, product_id, adjustment, conditions
        )

    async def set_level(
        self, actor: Actor, product_id: int, level: StockLevel, conditions: Conditions = UNCONDITIONAL
    ) -> StockItem:
        """Raises `IdempotencyKeyReused` or `PreconditionFailed` besides."""
        require_role(actor, Role.STAFF)
        return await self._db.write(
            once, conditions.repeat, StockItem, items.set_level, actor, product_id, level, conditions
        )

    async def remove(self, actor: Actor, product_id: int, conditions: Conditions = UNCONDITIONAL) -> None:
        """Raises `StockNotFound`, `StockReserved` or `PreconditionFailed`."""
        await self._db.write(items.remove, actor, product_id, conditions)

    async def ask_about_expired(self) -> int:
        """Tell of the reservations whose order is not known in time; how many there were."""
        longest = self._patience + reservations.ASK_AGAIN
        asked = await self._db.write(reservations.ask_about_expired, self._clock(), longest)
        self.asked_about["expired"] += asked
        return asked

    async def watch_expiry(self) -> None:
        """Ask about expired reservations until cancelled."""
        await repeat(self._ask_after_a_while, "the watch over expired reservations")

    def _seen_by(self, actor: Actor | None, item: StockItem) -> StockItem:
        sees_numbers = self._public_numbers or (actor is not None and actor.role.includes(Role.STAFF))
        return item if sees_numbers else StockItem(item.product_id, item.in_stock, item.low_stock)

    async def _ask_after_a_while(self) -> None:
        await asyncio.sleep(min(_LONGEST_WATCH, self._patience.total_seconds() / 4))
        await self.ask_about_expired()


def _without_numbers(short: InsufficientStock) -> InsufficientStock:
    lines = [{name: value for name, value in line.items() if name != "available"} for line in short.fields["lines"]]
    return InsufficientStock(short.detail, lines=lines)

"""The rules of order: reserve, then record, then commit by event. One public method is one transaction."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Final, NamedTuple
from uuid import UUID, uuid5

import msgspec
from msgspec import UNSET
from uuid_utils.compat import uuid7

from ecshop.kernel.clock import Clock, now
from ecshop.kernel.conditions import UNCONDITIONAL, Conditions, IdempotencyKeyReused
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import EcshopError, Unavailable
from ecshop.kernel.identity import Actor, Role, require_role
from ecshop.kernel.telemetry.logs import annotate
from ecshop.kernel.values import Page
from ecshop.order import records, search
from ecshop.order.contract import (
    DEFAULT_CANCELLATION,
    MAX_TOTAL,
    Cancellation,
    MixedCurrencies,
    NewOrder,
    Order,
    OrderExpired,
    OrderFilter,
    OrderLine,
    OrderTimeline,
    Pace,
    PriceChanged,
    Status,
    TotalTooLarge,
)
from ecshop.order.holds import Hold, Holds
from ecshop.order.quotas import NO_BOUNDS, Bounds, Quotas
from ecshop.product.contract import ProductClient, Quote
from ecshop.stock.contract import Line, ReservationConflict, ReservationReleased, StockClient

_KEYED_ORDERS: Final = UUID("5b0c7a3e-6d0f-4a57-9d0e-6a3a5e0f4c11")
"""The namespace of ids that are made from a user and an idempotency key (RFC 9562, section 5.5)."""
REPEAT: Final = "repeat the order with the same Idempotency-Key: it is placed once"
SEND_A_KEY: Final = "look at your orders before you repeat it, and send an Idempotency-Key: then a repeat is safe"


class Asked(NamedTuple):
    """An order that somebody asks for, and since when."""

    actor: Actor
    new: NewOrder
    at: datetime


class OrderService:
    """Satisfies `OrderClient`: inside one process the service is the client."""

    def __init__(
        self,
        db: Database,
        product: ProductClient,
        stock: StockClient,
        *,
        quote_seconds: float,
        bounds: Bounds = NO_BOUNDS,
        clock: Clock = now,
    ) -> None:
        self._db, self._product, self._quote_seconds, self._clock = db, product, quote_seconds, clock
        self._holds, self._quotas = Holds(db, stock), Quotas(db, bounds, clock)
        self.outcomes: Counter[str] = Counter()
        """How often what was asked for came to which status, or was refused by which code."""

    async def place(self, actor: Actor, new: NewOrder, idempotency_key: str | None = None) -> Order:
        asked = Asked(actor, new, self._clock())
        try:
            if idempotency_key is None:
                order = await self._place(uuid7(), asked)
            else:
                order = await self._place_once(asked, idempotency_key)
        except Unavailable as cause:
            self.outcomes[cause.code] += 1
            repeat = SEND_A_KEY if idempotency_key is None else REPEAT
            raise type(cause)(f"{cause.detail}; {repeat}") from cause
        except EcshopError as refusal:
            self.outcomes[refusal.code] += 1
            raise
        self.outcomes[order.status] += 1
        return order

    async def give_back(self) -> None:
        """Give back what is held for orders that could not be recorded, until cancelled."""
        await self._holds.give_back()

    async def get(self, actor: Actor, order_id: UUID) -> Order:
        return await self._db.read(records.get, actor, order_id)

    async def statuses(self, actor: Actor, order_ids: Sequence[UUID]) -> Mapping[UUID, Status]:
        return await self._db.read(search.statuses, order_ids)

    async def timeline(self, actor: Actor, order_id: UUID) -> OrderTimeline:
        require_role(actor, Role.STAFF)
        return await self._db.read(records.timeline, order_id)

    async def pace(self, actor: Actor, since: datetime, minutes: int) -> Pace:
        require_role(actor, Role.STAFF)
        return await self._db.read_apart(search.pace, since, minutes)

    async def list(self, actor: Actor, wanted: OrderFilter, cursor: str | None, limit: int) -> Page[Order]:
        """Newest first: a customer's own orders, or everybody's for staff."""
        return await self._db.read(records.list_orders, actor, wanted, cursor, limit)

    async def cancel(
        self,
        actor: Actor,
        order_id: UUID,
        cancellation: Cancellation = DEFAULT_CANCELLATION,
        conditions: Conditions = UNCONDITIONAL,
    ) -> Order:
        if not cancellation.restock:
            require_role(actor, Role.STAFF)
        cancelled = await self._db.write(records.cancel, actor, order_id, cancellation, conditions)
        self.outcomes[cancelled.status] += 1
        return cancelled

    async def fulfil(self, actor: Actor, order_id: UUID, conditions: Conditions = UNCONDITIONAL) -> Order:
        """Raises `PreconditionFailed` besides."""
        require_role(actor, Role.STAFF)
        fulfilled = await self._db.write(records.fulfil, actor, order_id, conditions)
        self.outcomes[fulfilled.status] += 1
        return fulfilled

    async def _place_once(self, asked: Asked, key: str) -> Order:
        """An attempt that was given up came to nothing: the next one has an id of its own."""
        fingerprint = hashlib.sha256(msgspec.json.encode(asked.new)).digest()
        name = f"{asked.actor.user_id} {key}"
        for attempt in count(1):
            order_id = uuid5(_KEYED_ORDERS, name)
            try:
                earlier = await self._db.read_many(records.find_repeated, records.Attempt(order_id, fingerprint))
            except OrderExpired:
                name = f"{asked.actor.user_id} {key}\0{attempt}"
            else:
                return earlier or await self._place(order_id, asked, fingerprint)
        raise AssertionError("counting ends never")

    async def _place(self, order_id: UUID, asked: Asked, fingerprint: bytes | None = None) -> Order:
        annotate(order_id=order_id)
        await self._quotas.take(asked.actor, asked.new)
        is_placed = False
        try:
            order = await self._place_counted(order_id, asked, fingerprint)
            is_placed = True
        finally:
            self._quotas.end(asked.actor, asked.new, is_placed=is_placed)
        return order

    async def _place_counted(self, order_id: UUID, asked: Asked, fingerprint: bytes | None) -> Order:
        quoted_at = time.monotonic()
        order = await self._draft(order_id, asked)
        quoted = order.placed_at
        hold = await self._reserve(order_id, asked.new, has_key=fingerprint is not None)
        steps = records.Steps(asked.at, quoted, self._clock())
        if time.monotonic() - quoted_at > self._quote_seconds:
            with self._holds.checking(hold):
                order = await self._draft(order_id, asked)
        return await self._holds.record(hold, records.Placement(order, fingerprint, hold.cause, steps))

    async def _draft(self, order_id: UUID, asked: Asked) -> Order:
        quotes = await self._product.quote([line.product_id for line in asked.new.lines])
        return _draft(order_id, asked, quotes, self._clock())

    async def _reserve(self, order_id: UUID, new: NewOrder, *, has_key: bool) -> Hold:
        lines = [Line(line.product_id, line.quantity) for line in new.lines]
        try:
            return await self._holds.reserve(order_id, lines, has_key=has_key)
        except ReservationReleased as cause:
            raise OrderExpired(records.GIVEN_UP) from cause
        except ReservationConflict as cause:
            raise IdempotencyKeyReused(records.REUSED) from cause


def _check_expectation(new: NewOrder, total: int, currency: str) -> None:
    expected_total = total if new.expected_total is UNSET else new.expected_total
    expected_currency = currency if new.currency is UNSET else new.currency
    if (expected_total, expected_currency) != (total, currency):
        raise PriceChanged(
            f"the order comes to {total} {currency}, not to {expected_total} {expected_currency}",
            expected_total=expected_total,
            total=total,
            expected_currency=expected_currency,
            currency=currency,
        )


def _draft(order_id: UUID, asked: Asked, quotes: Sequence[Quote], placed_at: datetime) -> Order:
    """The order as it will be recorded, with names and prices as they are now."""
    currencies = sorted({quote.currency for quote in quotes})
    if len(currencies) > 1:
        raise MixedCurrencies(f"one order, one currency; here are {' and '.join(currencies)}", currencies=currencies)
    lines = tuple(
        OrderLine(quote.product_id, quote.name, line.quantity, quote.price, line.quantity * quote.price)
        for line, quote in zip(asked.new.lines, quotes, strict=True)
    )
    total = sum(line.subtotal for line in lines)
    if total > MAX_TOTAL:
        raise TotalTooLarge(f"the order comes to {total}; at most {MAX_TOTAL} can be told", limit=MAX_TOTAL)
    _check_expectation(asked.new, total, currencies[0])
    ends = (None, None, None, None)
    return Order(order_id, "confirmed", asked.actor.user_id, lines, total, currencies[0], placed_at, placed_at, *ends)

"""What staff look for by whatever they have of it: an id, the end of one, a number, a part of a name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from msgspec.structs import replace

from ecshop.auth.contract import User, UserFilter
from ecshop.events.catalog import StockDepleted, StockReplenished
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.identity import Actor
from ecshop.kernel.values import Page
from ecshop.order.contract import Order, OrderFilter, OrderNotFound
from ecshop.oversight.contract import EventFilter, PublishedEvent
from ecshop.product.contract import LONGEST_NAME, AvailabilityChange, Product, ProductFilter, ProductNotFound
from ecshop.web.console.numbers import whole
from ecshop.web.console.story import ask, story_of
from ecshop.web.pages import short_id
from ecshop.web.site import Site

T = TypeVar("T")

_SHORT_ID: Final = re.compile(r"[0-9A-F]{4}-[0-9A-F]{4}")
_LOOKED_THROUGH: Final = 5
_AT_ONCE: Final = 100
_ON_A_PAGE: Final = 25
_FEW: Final = 10
"""Customers and products of a name; orders of a product, and changes of its availability, whose events are told."""
_MOST_PRODUCTS: Final = 3
_HEARD_WITHIN: Final = timedelta(minutes=1)
_NOTED_BEFORE: Final = timedelta(seconds=1)
_NO_PAGE: Final = Page[Any]((), None)


class Found(NamedTuple):
    """What may be meant; an id is that of an order or of an event."""

    orders: Sequence[Order] = ()
    events: Sequence[PublishedEvent] = ()
    products: Sequence[Product] = ()
    customers: Sequence[User] = ()


class Lookup:
    """Contexts that did not answer are `silent`: what they know is missing."""

    def __init__(self, site: Site, actor: Actor) -> None:
        self._site, self._actor = site, actor
        self.silent: list[str] = []

    async def anything(self, looked_for: str) -> Found:
        """Of a trace the order; of names what begins with them, or has them."""
        orders = await self._orders_by_id(looked_for)
        if orders:
            return Found(orders)
        if (id_ := id_of(looked_for)) is not None:
            return Found(await self._orders_of_trace(id_.hex), await self._events_by_id(id_))
        products, customers = await asyncio.gather(self._products(looked_for, _FEW), self._customers(looked_for))
        return Found((), (), products, customers)

    async def orders(self, looked_for: str, wanted: OrderFilter) -> Sequence[Order]:
        """By the whole id, by its end as people tell it, among the newest, or those that are wanted of a customer."""
        return await self._orders_by_id(looked_for) or await self._orders_of_customer(looked_for, wanted)

    async def events(self, looked_for: str) -> list[PublishedEvent]:
        """Newest first: by its own id, of an order by its id or the end of it, of a product by its number or a part of
        its name.

        Of a product those of its newest orders, and of when it was gone and there again.
        """
        number = whole(looked_for)
        orders = [] if number else [order.id for order in await self._orders_by_id(looked_for)]
        if not orders and (id_ := id_of(looked_for)) is not None:
            return await self._events_by_id(id_)
        products = [number] if number else [] if orders else await self._numbers(looked_for)
        for product_id in products:
            of_product = OrderFilter(product_id=product_id)
            page = await self._ask("order", self._site.order.list(self._actor, of_product, None, _FEW), _NO_PAGE)
            orders += [order.id for order in page.items]
        told = await asyncio.gather(*map(self._events_of_order, dict.fromkeys(orders)))
        turns = await asyncio.gather(*map(self._turns, products))
        by_id = {event.event_id: event for events in (*told, *turns) for event in events}
        return sorted(by_id.values(), key=lambda event: event.recorded_at, reverse=True)

    async def _orders_by_id(self, looked_for: str) -> Sequence[Order]:
        if (id_ := id_of(looked_for)) is not None:
            with suppress(OrderNotFound):
                order = await self._ask("order", self._site.order.get(self._actor, id_), None)
                return [order] if order else []
            return []
        ending = looked_for.upper()
        if not _SHORT_ID.fullmatch(ending):
            return []
        async for page in self._newest_orders():
            if found := [order for order in page if short_id(order.id) == ending]:
                return found
        return []

    async def _newest_orders(self) -> AsyncIterator[Sequence[Order]]:
        cursor = None
        for _ in range(_LOOKED_THROUGH):
            listed = self._site.order.list(self._actor, OrderFilter(), cursor, _AT_ONCE)
            page = await self._ask("order", listed, _NO_PAGE)
            yield page.items
            if not (cursor := page.next_cursor):
                return

    async def _orders_of_trace(self, trace_id: str) -> Sequence[Order]:
        """Among those with the newest events."""
        cursor = None
        for _ in range(_LOOKED_THROUGH):
            listed = self._site.oversight["order"].events(self._actor, EventFilter(), cursor, _AT_ONCE)
            page = await self._ask("order", listed, _NO_PAGE)
            for event in page.items:
                if event.trace_id == trace_id:
                    return await self._orders_by_id(event.subject)
            if not (cursor := page.next_cursor):
                break
        return []

    async def _orders_of_customer(self, name: str, wanted: OrderFilter) -> Sequence[Order]:
        own = [replace(wanted, user_id=user.id) for user in await self._customers(name)]
        listed = [self._site.order.list(self._actor, each, None, _ON_A_PAGE) for each in own]
        pages = await asyncio.gather(*(self._ask("order", one, _NO_PAGE) for one in listed))
        return sorted((order for page in pages for order in page.items), key=lambda one: one.placed_at, reverse=True)

    async def _customers(self, name: str) -> Sequence[User]:
        listed = self._site.auth.users(self._actor, UserFilter(q=name[:64]), None, _FEW)
        return (await self._ask("auth", listed, _NO_PAGE)).items

    async def _products(self, looked_for: str, most: int) -> Sequence[Product]:
        """Also by the number, the first of them all."""
        number = whole(looked_for)
        listed = self._site.product.list(ProductFilter(q=looked_for[:LONGEST_NAME]), None, most)
        named = (await self._ask("product", listed, _NO_PAGE)).items
        numbered = await self._ask("product", self._site.products([number]), {}) if number else {}
        return [*numbered.values(), *(product for product in named if product.id not in numbered)]

    async def _numbers(self, looked_for: str) -> list[int]:
        return [product.id for product in await self._products(looked_for, _MOST_PRODUCTS)]

    async def _events_by_id(self, id_: UUID) -> list[PublishedEvent]:
        wanted = EventFilter(event_id=(str(id_),))
        pages = await asyncio.gather(
            *(
                self._ask(name, overseen.events(self._actor, wanted, None, 1), _NO_PAGE)
                for name, overseen in self._site.oversight.items()
            )
        )
        return [event for page in pages for event in page.items]

    async def _events_of_order(self, order_id: UUID) -> Sequence[PublishedEvent]:
        try:
            story = await story_of(self._site, self._actor, order_id)
        except Unavailable:
            self.silent.append("order")
            return []
        self.silent += story.silent
        return [*story.events.values()]

    async def _turns(self, product_id: int) -> list[PublishedEvent]:
        """What stock said of it: looked for around the times at which product heard it."""
        try:
            known = self._site.product.availability(product_id, limit=_FEW)
            changes = (await self._ask("product", known, _NO_PAGE)).items
        except ProductNotFound:
            return []
        found = await asyncio.gather(*map(self._said_before, changes))
        return [event for events in found for event in events if event.subject == str(product_id)]

    async def _said_before(self, change: AvailabilityChange) -> Sequence[PublishedEvent]:
        kind = StockReplenished if change.in_stock else StockDepleted
        wanted = EventFilter(kind.type, change.at - _HEARD_WITHIN, change.at + _NOTED_BEFORE)
        said = self._site.oversight["stock"].events(self._actor, wanted, None, _AT_ONCE)
        return (await self._ask("stock", said, _NO_PAGE)).items

    async def _ask(self, name: str, answer: Awaitable[T], nothing: T) -> T:
        return await ask(name, self.silent, answer, nothing)


def id_of(written: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(written)
    return None

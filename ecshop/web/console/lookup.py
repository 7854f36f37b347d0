"""What staff look for by whatever they have of it: an id, the end of one, a number, a part of a name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

from ecshop.auth.contract import UserFilter
from ecshop.events.catalog import StockDepleted, StockReplenished
from ecshop.kernel.identity import Actor
from ecshop.order.contract import Order, OrderFilter, OrderNotFound
from ecshop.oversight.contract import EventFilter, PublishedEvent
from ecshop.product.contract import LONGEST_NAME, AvailabilityChange, ProductFilter, ProductNotFound
from ecshop.web.console.numbers import whole
from ecshop.web.console.story import story_of
from ecshop.web.pages import short_id
from ecshop.web.site import Site

_LOOKED_THROUGH: Final = 5
_AT_ONCE: Final = 100
_ON_A_PAGE: Final = 25
_NEWEST: Final = 10
"""Orders of a product, and changes of its availability, whose events are looked for."""
_MOST_PRODUCTS: Final = 3
_HEARD_WITHIN: Final = timedelta(minutes=1)
_NOTED_BEFORE: Final = timedelta(seconds=1)


async def orders_like(site: Site, actor: Actor, looked_for: str) -> Sequence[Order]:
    """By the whole id, by its end as people tell it, among the newest, or by a customer's name."""
    return await _orders_by_id(site, actor, looked_for) or await _orders_of_customer(site, actor, looked_for)


async def events_about(site: Site, actor: Actor, looked_for: str) -> list[PublishedEvent]:
    """Newest first: of an order by its id or the end of it, of a product by its number or a part of its name.

    Of a product those of its newest orders, and of when it was gone and there again.
    """
    number = whole(looked_for)
    orders = [] if number else [order.id for order in await _orders_by_id(site, actor, looked_for)]
    products = [number] if number else [] if orders else await _products(site, looked_for)
    for product_id in products:
        page = await site.order.list(actor, OrderFilter(product_id=product_id), None, _NEWEST)
        orders += [order.id for order in page.items]
    stories = await asyncio.gather(*(story_of(site, actor, order_id) for order_id in dict.fromkeys(orders)))
    turns = await asyncio.gather(*(_turns(site, actor, product_id) for product_id in products))
    events = [event for story in stories for event in story.events.values()]
    events += [event for found in turns for event in found]
    by_id = {event.event_id: event for event in events}
    return sorted(by_id.values(), key=lambda event: event.recorded_at, reverse=True)


async def _orders_by_id(site: Site, actor: Actor, looked_for: str) -> Sequence[Order]:
    with suppress(ValueError, OrderNotFound):
        return [await site.order.get(actor, UUID(looked_for))]
    ending, found, cursor = looked_for.upper(), list[Order](), None
    for _ in range(_LOOKED_THROUGH):
        page = await site.order.list(actor, OrderFilter(), cursor, _AT_ONCE)
        found += [order for order in page.items if short_id(order.id) == ending]
        cursor = page.next_cursor
        if found or not cursor:
            break
    return found


async def _orders_of_customer(site: Site, actor: Actor, name: str) -> Sequence[Order]:
    users = (await site.auth.users(actor, UserFilter(q=name[:64]), None, 10)).items
    pages = await asyncio.gather(
        *(site.order.list(actor, OrderFilter(user_id=user.id), None, _ON_A_PAGE) for user in users)
    )
    return sorted((order for page in pages for order in page.items), key=lambda one: one.placed_at, reverse=True)


async def _products(site: Site, looked_for: str) -> list[int]:
    page = await site.product.list(ProductFilter(q=looked_for[:LONGEST_NAME]), None, _MOST_PRODUCTS)
    return [product.id for product in page.items]


async def _turns(site: Site, actor: Actor, product_id: int) -> list[PublishedEvent]:
    """What stock said of it: looked for around the times at which product heard it."""
    try:
        changes = (await site.product.availability(product_id, limit=_NEWEST)).items
    except ProductNotFound:
        return []
    found = await asyncio.gather(*(_said_before(site, actor, change) for change in changes))
    return [event for events in found for event in events if event.subject == str(product_id)]


async def _said_before(site: Site, actor: Actor, change: AvailabilityChange) -> Sequence[PublishedEvent]:
    kind = StockReplenished if change.in_stock else StockDepleted
    wanted = EventFilter(kind.type, change.at - _HEARD_WITHIN, change.at + _NOTED_BEFORE)
    return (await site.oversight["stock"].events(actor, wanted, None, _AT_ONCE)).items

"""One look, once a second, at all that open pages show; a page looks for itself when its part of that has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeVar
from uuid import UUID

from ecshop.kernel.errors import EcshopError, Unauthenticated
from ecshop.kernel.identity import Actor
from ecshop.kernel.tokens import Verifier
from ecshop.order.contract import MOST_STATUSES, OrderClient
from ecshop.stock.contract import MOST_PRODUCTS, StockClient, StockItem

T = TypeVar("T")
Seen = Mapping[UUID | int, Any]
"""By order and by product, what pages tell of it."""

_LOOK_EVERY: Final = 1.0  # seconds
_RESTLESS: Final = 1.3
"""By which pauses grow of who waits for what no look at all pages would tell."""
_LONGEST_PAUSE: Final = 5.0
_AT_LEAST_EVERY: Final = 60.0  # seconds
LONGEST: Final = 600.0
"""Seconds after which a page looks no more, and connects again."""


@dataclass(eq=False)
class Onlooker:
    """A page, and what it shows: it says that itself, as it comes to know it."""

    actor: Actor | None
    orders: Sequence[UUID] = ()
    products: Sequence[int] = ()
    is_restless: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def shown(self) -> Iterator[UUID | int]:
        yield from self.orders
        yield from self.products


class Watch:
    def __init__(self, order: OrderClient, stock: StockClient, verifier: Verifier, stopping: asyncio.Event) -> None:
        self._order, self._stock, self._verifier, self._stopping = order, stock, verifier, stopping
        self._onlookers: set[Onlooker] = set()
        self._watching: asyncio.Task[None] | None = None

    async def looks(self, onlooker: Onlooker) -> AsyncGenerator[Onlooker]:
        """A moment to look: at once, when something has changed, and now and then; until the process stops."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + LONGEST, _LOOK_EVERY
        self._onlookers.add(onlooker)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), context=Context())  # not of this page, which may go
        try:
            while loop.time() < until and not self._stopping.is_set():
                onlooker.moved.clear()
                yield onlooker
                pause = min(pause * _RESTLESS, _LONGEST_PAUSE)
                with suppress(TimeoutError):
                    longest = pause if onlooker.is_restless else _AT_LEAST_EVERY
                    await asyncio.wait_for(onlooker.moved.wait(), longest)
        finally:
            self._onlookers.discard(onlooker)

    async def _watch(self) -> None:
        seen: Seen = {}
        while self._onlookers and not self._stopping.is_set():
            with suppress(EcshopError):  # the next look may be answered
                seen = await self._look(seen)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _LOOK_EVERY)
        for onlooker in self._onlookers:
            onlooker.moved.set()

    async def _look(self, before: Seen) -> Seen:
        """Who is new here is woken, too: something may have changed since it looked first."""
        onlookers = list(self._onlookers)
        signed_in = [onlooker.actor for onlooker in onlookers if onlooker.actor and await self._is_good(onlooker)]
        now: dict[Any, Any] = {}
        if signed_in:
            for orders in _batches({one for onlooker in onlookers for one in onlooker.orders}, MOST_STATUSES):
                now |= await self._order.statuses(signed_in[0], orders)
        for products in _batches({one for onlooker in onlookers for one in onlooker.products}, MOST_PRODUCTS):
            now |= {item.product_id: _told_of(item) for item in await self._stock.get_many(products)}
        for onlooker in onlookers:
            if any(one not in before or before[one] != now.get(one) for one in onlooker.shown):
                onlooker.moved.set()
        return {one: now.get(one) for onlooker in onlookers for one in onlooker.shown}

    async def _is_good(self, onlooker: Onlooker) -> bool:
        """Whoever was signed out meanwhile is woken, and finds that out."""
        assert onlooker.actor is not None
        try:
            await self._verifier.actor(onlooker.actor.token)
        except Unauthenticated:
            onlooker.moved.set()
            return False
        return True


def _told_of(item: StockItem) -> tuple[Any, ...]:
    """The number only where pages show it: a well-stocked product's changes with every order."""
    return item.in_stock, item.low_stock, item.available if item.low_stock else None


def _batches(found: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(found)
    while batch := list(islice(rest, size)):
        yield batch

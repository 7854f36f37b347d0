"""A whole shop in the test's own process, and stock as an order service meets it on a bad day."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID, uuid4

from ecshop.events.buses.memory import MemoryBus
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from ecshop.kernel.identity import Actor, Role
from ecshop.order.contract import NewOrder, WantedLine
from ecshop.order.service import OrderService
from ecshop.product.contract import NewProduct
from ecshop.product.service import ProductService
from ecshop.stock.contract import (
    Line,
    NewStock,
    Reservation,
    ReservationStatus,
    StaffStockClient,
    StockClient,
    StockItem,
)
from ecshop.stock.service import StockService
from entrypoints.compose import compose
from entrypoints.settings import Settings
from tests.waiting import eventually_async

BUYER: Final = Actor(uuid4(), Role.CUSTOMER)
STAFF: Final = Actor(uuid4(), Role.STAFF)
PATIENCE: Final = 60


class Stalling:
    """Stock as an order service sees it that stalls between its reservation and its record."""

    def __init__(self, stock: StockClient) -> None:
        self._stock = stock
        self.reserved, self.go_on = asyncio.Event(), asyncio.Event()

    async def reserve(self, order_id: UUID, lines: Sequence[Line], attempt: int = 0) -> Reservation:
        reservation = await self._stock.reserve(order_id, lines, attempt)
        self.reserved.set()
        await self.go_on.wait()
        return reservation

    async def withdraw(self, order_id: UUID, attempt: int) -> None:
        await self._stock.withdraw(order_id, attempt)

    async def reservation(self, actor: Actor, order_id: UUID) -> ReservationStatus:
        return await self._stock.reservation(actor, order_id)

    async def get(self, product_id: int, actor: Actor | None = None) -> StockItem:
        return await self._stock.get(product_id, actor)

    async def get_many(self, product_ids: Sequence[int], actor: Actor | None = None) -> tuple[StockItem, ...]:
        return await self._stock.get_many(product_ids, actor)


class House:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.later = 0.0
        self._settings = Settings(data_dir=str(folder), reservation_seconds=PATIENCE, **settings)
        self.shop = compose(self._settings, clock=lambda: now() + timedelta(seconds=self.later))
        self.products = cast(ProductService, self.shop.clients.product)
        self.stock = cast(StockService, self.shop.clients.stock)

    def database(self, context: str) -> Database:
        return next(one.database for one in self.shop.contexts if one.name == context)

    async def stocked(self) -> int:
        product = await self.products.create(STAFF, NewProduct("Green tea", 1200))
        await self.stock.register(STAFF, NewStock(product.id, 5))
        return product.id

    def order_service(self, stock: StockClient) -> OrderService:
        """Another process of order, which sees stock as it is given here."""
        databases = {context.name: context.database for context in self.shop.contexts}
        known = self.shop.clients
        apart = compose(
            self._settings,
            frozenset({"order"}),
            databases=databases,
            bus=MemoryBus(),
            auth=known.auth,
            product=known.product,
            stock=cast(StaffStockClient, stock),  # all that order asks of it
        )
        return cast(OrderService, apart.clients.order)

    async def time_runs_out(self) -> None:
        self.later += PATIENCE + 1
        assert await self.stock.ask_about_expired() >= 1

    async def has_nothing_to_ask(self) -> None:
        """Its time is over, and yet nothing is asked."""
        self.later += PATIENCE + 61
        assert await self.stock.ask_about_expired() == 0

    async def reserved(self, product: int) -> int:
        reserved = (await self.stock.get(product)).reserved
        assert isinstance(reserved, int)
        return reserved

    async def is_released(self, product: int) -> None:
        await eventually_async(lambda: self.reserved(product), 0)


def five_of(product: int) -> NewOrder:
    return NewOrder((WantedLine(product, 5),))

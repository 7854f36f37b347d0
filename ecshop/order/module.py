"""How an order context is put together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from litestar import Router
from litestar.di import Provide

from ecshop.context import Context, Counted
from ecshop.events.catalog import Event, ReservationExpired
from ecshop.events.consumer import Handler
from ecshop.kernel.clock import Clock, now
from ecshop.kernel.db.database import Database
from ecshop.order import records
from ecshop.order.contract import OrderClient
from ecshop.order.http import OrderController
from ecshop.order.quotas import NO_BOUNDS, Bounds
from ecshop.order.service import OrderService
from ecshop.product.contract import ProductClient
from ecshop.stock.contract import StockClient

MIGRATIONS: Final = Path(__file__).parent / "migrations"
SUBSCRIPTIONS: Final[Mapping[type[Event], Handler]] = {ReservationExpired: records.give_up}


def build(
    db: Database,
    product: ProductClient,
    stock: StockClient,
    *,
    quote_seconds: float,
    bounds: Bounds = NO_BOUNDS,
    clock: Clock = now,
) -> Context[OrderClient]:
    service = OrderService(db, product, stock, quote_seconds=quote_seconds, bounds=bounds, clock=clock)
    provide = {"order": Provide(lambda: service, sync_to_thread=False)}
    return Context(
        "order",
        service,
        db,
        MIGRATIONS,
        public=[Router("/", route_handlers=[OrderController], dependencies=provide)],
        subscriptions=SUBSCRIPTIONS,
        counted=[Counted("ecshop_orders", "What became of orders that were asked for", "outcome", service.outcomes)],
        background=[service.give_back],
    )

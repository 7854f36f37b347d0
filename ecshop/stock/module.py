"""How a stock context is put together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from litestar import Router
from litestar.di import Provide

from ecshop.context import Context, Counted, Measured
from ecshop.events.catalog import Event, OrderCancelled, OrderConfirmed, ProductDeleted
from ecshop.events.consumer import Handler
from ecshop.kernel.clock import Clock, now
from ecshop.kernel.db.database import Database
from ecshop.product.contract import ProductClient
from ecshop.stock import items, settlement
from ecshop.stock.contract import StaffStockClient
from ecshop.stock.http import StockController, StockInternal
from ecshop.stock.reservations import count_held, count_overdue
from ecshop.stock.service import StockService

MIGRATIONS: Final = Path(__file__).parent / "migrations"
SUBSCRIPTIONS: Final[Mapping[type[Event], Handler]] = {
    OrderConfirmed: settlement.commit,
    OrderCancelled: settlement.release,
    ProductDeleted: items.forget_deleted,
}


def build(
    db: Database,
    product: ProductClient,
    *,
    reservation_seconds: float,
    public_numbers: bool,
    clock: Clock = now,
) -> Context[StaffStockClient]:
    service = StockService(
        db, product, reservation_seconds=reservation_seconds, public_numbers=public_numbers, clock=clock
    )
    provide = {"stock": Provide(lambda: service, sync_to_thread=False)}
    return Context(
        "stock",
        service,
        db,
        MIGRATIONS,
        public=[Router("/", route_handlers=[StockController], dependencies=provide)],
        internal=[Router("/", route_handlers=[StockInternal], dependencies=provide)],
        subscriptions=SUBSCRIPTIONS,
        counted=[
            Counted("ecshop_stock_units", "Units that orders have asked for, by the answer", "outcome", service.units),
            Counted(
                "ecshop_reservations_asked_about",
                "How often an order was asked for, whose reservation is held for too long",
                "cause",
                service.asked_about,
            ),
        ],
        measured=[
            Measured("ecshop_reservations_held", "Reservations of orders that are not recorded yet", count_held),
            Measured("ecshop_reservations_overdue", "Those whose time is over", count_overdue),
        ],
        background=[service.watch_expiry],
    )

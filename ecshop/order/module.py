"""How an order context is put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from litestar import Router
from litestar.di import Provide

from ecshop.kernel.context import Context
from ecshop.kernel.database import Database
from ecshop.order.contract import OrderClient
from ecshop.order.http import OrderController
from ecshop.order.service import HANDLERS, OrderService
from ecshop.product.contract import ProductClient
from ecshop.stock.contract import StockClient

__all__ = ["HANDLERS", "MIGRATIONS", "build"]

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def build(db: Database, product: ProductClient, stock: StockClient) -> Context[OrderClient]:
    service = OrderService(db, product, stock)
    provide = {"order": Provide(lambda: service, sync_to_thread=False)}
    return Context(
        "order",
        service,
        db,
        MIGRATIONS,
        public=[Router("/", route_handlers=[OrderController], dependencies=provide)],
        handlers=HANDLERS,
    )

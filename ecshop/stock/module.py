"""How a stock context is put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from litestar import Router
from litestar.di import Provide

from ecshop.kernel.context import Context
from ecshop.kernel.database import Database
from ecshop.product.contract import ProductClient
from ecshop.stock.contract import StockClient
from ecshop.stock.http import StockController, StockInternal
from ecshop.stock.service import HANDLERS, StockService

__all__ = ["HANDLERS", "MIGRATIONS", "build"]

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def build(db: Database, product: ProductClient, *, reservation_seconds: float) -> Context[StockClient]:
    service = StockService(db, product, reservation_seconds=reservation_seconds)
    provide = {"stock": Provide(lambda: service, sync_to_thread=False)}
    return Context(
        "stock",
        service,
        db,
        MIGRATIONS,
        public=[Router("/", route_handlers=[StockController], dependencies=provide)],
        internal=[Router("/", route_handlers=[StockInternal], dependencies=provide)],
        handlers=HANDLERS,
        background=[service.watch_expiry],
    )

"""How a product context is put together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from litestar import Router
from litestar.di import Provide

from ecshop.context import Context
from ecshop.events.catalog import Event, StockDepleted, StockReplenished
from ecshop.events.consumer import Handler
from ecshop.kernel.db.database import Database
from ecshop.product import availability
from ecshop.product.contract import StaffProductClient
from ecshop.product.http import ProductController, ProductInternal
from ecshop.product.http_categories import CategoryController
from ecshop.product.http_pictures import PictureController
from ecshop.product.service import ProductService

MIGRATIONS: Final = Path(__file__).parent / "migrations"
SUBSCRIPTIONS: Final[Mapping[type[Event], Handler]] = {
    StockDepleted: availability.sell_out,
    StockReplenished: availability.restock,
}


def build(db: Database) -> Context[StaffProductClient]:
    service = ProductService(db)
    provide = {"product": Provide(lambda: service, sync_to_thread=False)}
    return Context(
        "product",
        service,
        db,
        MIGRATIONS,
        public=[
            Router("/", route_handlers=[ProductController, PictureController, CategoryController], dependencies=provide)
        ],
        internal=[Router("/", route_handlers=[ProductInternal], dependencies=provide)],
        subscriptions=SUBSCRIPTIONS,
        background=[service.tell_how_it_searches],
    )

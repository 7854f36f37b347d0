"""How a product context is put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from litestar import Router
from litestar.di import Provide

from ecshop.kernel.context import Context
from ecshop.kernel.database import Database
from ecshop.product.contract import ProductClient
from ecshop.product.http import ProductController, ProductInternal
from ecshop.product.service import HANDLERS, ProductService

__all__ = ["HANDLERS", "MIGRATIONS", "build"]

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def build(db: Database) -> Context[ProductClient]:
    service = ProductService(db)
    provide = {"product": Provide(lambda: service, sync_to_thread=False)}
    return Context(
        "product",
        service,
        db,
        MIGRATIONS,
        public=[Router("/", route_handlers=[ProductController], dependencies=provide)],
        internal=[Router("/", route_handlers=[ProductInternal], dependencies=provide)],
        handlers=HANDLERS,
    )

"""How a review context is put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from litestar import Router
from litestar.di import Provide

from ecshop.context import Context
from ecshop.kernel.db.database import Database
from ecshop.product.contract import ProductClient
from ecshop.review.contract import ReviewClient
from ecshop.review.http import ReviewController
from ecshop.review.service import ReviewService

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def build(db: Database, product: ProductClient) -> Context[ReviewClient]:
    service = ReviewService(db, product)
    provide = {"review": Provide(lambda: service, sync_to_thread=False)}
    return Context(
        "review",
        service,
        db,
        MIGRATIONS,
        public=[Router("/", route_handlers=[ReviewController], dependencies=provide)],
    )

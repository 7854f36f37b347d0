"""The rules of product. One public method is one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from ecshop.events.repeats import once
from ecshop.kernel.conditions import UNCONDITIONAL, Conditions
from ecshop.kernel.db.database import Database
from ecshop.kernel.identity import Actor, Role, require_role
from ecshop.kernel.values import Page
from ecshop.product import availability, catalogue, categories, pictures, search
from ecshop.product.contract import (
    AvailabilityChange,
    Category,
    CategoryBody,
    NewProduct,
    Product,
    ProductChange,
    ProductFilter,
    Quote,
)
from ecshop.product.snapshots import Snapshots

log = structlog.get_logger("product")


class ProductService:
    """Satisfies `ProductClient`: inside one process the service is the client."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._snapshots = Snapshots(db)
        self._drawing = asyncio.Lock()

    async def get(self, product_id: int) -> Product:
        [product] = await self._all_of([product_id])
        return product

    async def quote(self, product_ids: Sequence[int]) -> tuple[Quote, ...]:
        return catalogue.quotes_of(await self._all_of(product_ids))

    async def list(self, wanted: ProductFilter, cursor: str | None, limit: int) -> Page[Product]:
        """Raises `InvalidCursor` or `TookTooLong`."""
        return await self._db.read_apart(catalogue.list_products, wanted, cursor, limit)

    async def availability(
        self, product_id: int, version: int | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[AvailabilityChange]:
        return await self._db.read(availability.changes_of, product_id, version, cursor, limit)

    async def create(self, actor: Actor, new: NewProduct, conditions: Conditions = UNCONDITIONAL) -> Product:
        """Raises `IdempotencyKeyReused` besides."""
        require_role(actor, Role.STAFF)
        return await self._db.write(once, conditions.repeat, Product, catalogue.create, actor, new)

    async def change(
        self, actor: Actor, product_id: int, change: ProductChange, conditions: Conditions = UNCONDITIONAL
    ) -> Product:
        """Raises `PreconditionFailed` besides."""
        require_role(actor, Role.STAFF)
        return await self._db.write(catalogue.change, actor, product_id, change, conditions)

    async def picture(self, name: str) -> bytes:
        return await self._db.read(pictures.find, name)

    async def put_picture(
        self, actor: Actor, product_id: int, image: bytes, conditions: Conditions = UNCONDITIONAL
    ) -> Product:
        """One at a time: each may take 200 MB for a moment. Raises `PreconditionFailed` besides."""
        require_role(actor, Role.STAFF)
        from ecshop.product.images import shown  # noqa: PLC0415 - it loads Pillow, and most processes never need it

        async with self._drawing:
            picture = await asyncio.to_thread(shown, image)
        return await self._db.write(catalogue.illustrate, actor, product_id, picture, conditions)

    async def delete(self, actor: Actor, product_id: int, conditions: Conditions = UNCONDITIONAL) -> None:
        """Orders keep the name and price that they were placed with.

        Raises `ProductNotFound` or `PreconditionFailed`.
        """
        require_role(actor, Role.STAFF)
        await self._db.write(catalogue.delete, actor, product_id, conditions)

    async def get_category(self, category_id: int) -> Category:
        """Raises `CategoryNotFound`."""
        return await self._db.read(categories.get, category_id)

    async def list_categories(self, cursor: str | None, limit: int) -> Page[Category]:
        return await self._db.read(categories.list_categories, cursor, limit)

    async def create_category(
        self, actor: Actor, body: CategoryBody, conditions: Conditions = UNCONDITIONAL
    ) -> Category:
        """Raises `CategoryExists` or `IdempotencyKeyReused`."""
        require_role(actor, Role.STAFF)
        return await self._db.write(once, conditions.repeat, Category, categories.create, actor, body)

    async def rename_category(
        self, actor: Actor, category_id: int, body: CategoryBody, conditions: Conditions = UNCONDITIONAL
    ) -> Category:
        """Raises `CategoryNotFound`, `CategoryExists` or `PreconditionFailed`."""
        require_role(actor, Role.STAFF)
        return await self._db.write(categories.rename, actor, category_id, body, conditions)

    async def delete_category(self, actor: Actor, category_id: int, conditions: Conditions = UNCONDITIONAL) -> None:
        """Raises `CategoryNotFound`, `CategoryInUse` or `PreconditionFailed`."""
        require_role(actor, Role.STAFF)
        await self._db.write(categories.delete, actor, category_id, conditions)

    async def tell_how_it_searches(self) -> None:
        if not await self._db.read(search.is_indexed):
            log.warning("this PostgreSQL has no pg_trgm: each search reads all products")

    async def _all_of(self, product_ids: Sequence[int]) -> Sequence[Product]:
        found = await self._snapshots.get(product_ids)
        here = [product for product in found if product is not None]
        if len(here) < len(found):
            raise catalogue.missing([id_ for id_, product in zip(product_ids, found, strict=True) if product is None])
        return here

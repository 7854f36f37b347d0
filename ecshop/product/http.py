"""Both ends of product's HTTP contract, side by side, so that a path is changed in one sitting."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Annotated, Any
from urllib.parse import quote as quoted

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from ecshop.kernel.conditions import IdempotencyKeyReused, PreconditionFailed
from ecshop.kernel.errors import InvalidCursor, TookTooLong
from ecshop.kernel.http.conditional import IdempotencyKey, IfMatch, conditions
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.paging import LIMIT, Cursor, Limit, UpdatedAfter, as_parameters
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.http.together import MOST_ITEMS, Item, Outcome, Together, serve_each
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import MAX_INT64, Id, Page
from ecshop.product.contract import (
    QUOTE,
    WRITE,
    AvailabilityChange,
    Category,
    CategoryBody,
    CategoryNotFound,
    NewProduct,
    Product,
    ProductChange,
    ProductDiscontinued,
    ProductFilter,
    ProductNotFound,
    Quote,
    Sort,
)
from ecshop.product.service import ProductService

AnyRequest = Request[Actor, Any, Any]
PathId = Annotated[int, PathParameter(ge=1, le=MAX_INT64)]
_MOST_PRODUCTS = 100
_MOST_CATEGORIES = 20


class Wish(Item):
    """What an order asks for."""

    product_ids: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=_MOST_PRODUCTS, examples=[[1, 2]])]


Wishes = Annotated[tuple[Wish, ...], Meta(min_length=1, max_length=MOST_ITEMS)]


class ProductController(Controller):
    tags = ("product",)

    @get("/products", **operation("List products", InvalidCursor, TookTooLong))
    async def list_products(
        self,
        product: NamedDependency[ProductService],
        name: Annotated[str | None, QueryParameter(max_length=200, description="The whole name, in any case.")] = None,
        q: Annotated[
            str | None,
            QueryParameter(
                max_length=200,
                description="A part of name or detail, of one character or more, in any case, with or without accents.",
            ),
        ] = None,
        category_id: Annotated[
            tuple[Id, ...], QueryParameter(max_items=_MOST_CATEGORIES, description="Several: of any of them.")
        ] = (),
        price_from: Annotated[int | None, QueryParameter(ge=0, le=MAX_INT64)] = None,
        price_to: Annotated[int | None, QueryParameter(ge=0, le=MAX_INT64)] = None,
        in_stock: Annotated[bool | None, QueryParameter()] = None,
        on_sale: Annotated[bool | None, QueryParameter(description="As the seller has it.")] = None,
        status: Annotated[
            bool | None, QueryParameter(description="Whether it can be bought: on sale, and not out of stock.")
        ] = None,
        updated_after: UpdatedAfter = None,
        sort: Annotated[
            Sort | None,
            QueryParameter(
                description="`-` sorts downwards. By `relevance`, as also where `q` is given and no `sort`, names that "
                "begin with `q` come first, in their order, then other names that have it, then details that have it, "
                "each in the order of ids. Without `q` and `sort` products are in the order of ids."
            ),
        ] = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[Product]:
        wanted = ProductFilter(
            name, q, category_id, price_from, price_to, in_stock, on_sale, status, updated_after, sort
        )
        return await product.list(wanted, cursor, limit)

    @post(
        "/products",
        **operation(
            "Add a product",
            CategoryNotFound,
            IdempotencyKeyReused,
            *BODY_ERRORS,
            role=Role.STAFF,
            key_scope=WRITE,
            makes="/products/{id}",
            tagged=True,
        ),
    )
    async def create_product(
        self,
        product: NamedDependency[ProductService],
        request: AnyRequest,
        data: JSONBody[NewProduct],
        idempotency_key: IdempotencyKey = None,
    ) -> Product:
        """`in_stock` is null until stock has said something; register its units with `POST /stock` next."""
        return await product.create(request.user, data, conditions(request, idempotency_key, body=data))

    @get("/products/{product_id:int}", **operation("Get a product", ProductNotFound, tagged=True))
    async def get_product(self, product: NamedDependency[ProductService], product_id: PathId) -> Product:
        return await product.get(product_id)

    @get("/products/{product_id:int}/availability", **operation("When was it there?", ProductNotFound, InvalidCursor))
    async def list_availability(
        self,
        product: NamedDependency[ProductService],
        product_id: PathId,
        version: Annotated[int | None, QueryParameter(ge=0, le=MAX_INT64, description="Of the stock.")] = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[AvailabilityChange]:
        """When its last unit was gone and when there were some again, newest first."""
        return await product.availability(product_id, version, cursor, limit)

    @put(
        "/products/{product_id:int}",
        **operation(
            "Change a product",
            ProductNotFound,
            CategoryNotFound,
            PreconditionFailed,
            *BODY_ERRORS,
            role=Role.STAFF,
            key_scope=WRITE,
            tagged=True,
        ),
    )
    async def change_product(
        self,
        product: NamedDependency[ProductService],
        request: AnyRequest,
        product_id: PathId,
        data: JSONBody[ProductChange],
        if_match: IfMatch = None,
    ) -> Product:
        """Fields that are left out stay as they are."""
        return await product.change(request.user, product_id, data, conditions(request, if_match=if_match))

    @delete(
        "/products/{product_id:int}",
        **operation("Delete a product", ProductNotFound, PreconditionFailed, role=Role.STAFF, key_scope=WRITE),
    )
    async def delete_product(
        self,
        product: NamedDependency[ProductService],
        request: AnyRequest,
        product_id: PathId,
        if_match: IfMatch = None,
    ) -> None:
        """Orders keep the name and price that they were placed with."""
        await product.delete(request.user, product_id, conditions(request, if_match=if_match))


class ProductInternal(Controller):
    tags = ("product",)

    @post(
        "/internal/quotes",
        status_code=200,
        **operation("Quote products for orders", ProductNotFound, ProductDiscontinued, *BODY_ERRORS, scope=QUOTE),
    )
    async def quote(self, product: NamedDependency[ProductService], data: JSONBody[Wishes]) -> list[Outcome]:
        """Each comes to quotes, or to a problem of its own; the codes of `product` are told of an item only."""
        return await serve_each("quote", data, lambda wish: product.quote(wish.product_ids))


class HttpProductClient:
    def __init__(self, remote: Remote) -> None:
        self._call = remote.call
        self._quotes = Together(remote, "/internal/quotes", tuple[Quote, ...])

    async def get(self, product_id: int) -> Product:
        return await self._call("GET", f"/products/{product_id}", Product)

    async def list(self, wanted: ProductFilter, cursor: str | None, limit: int) -> Page[Product]:
        return await self._call("GET", "/products", Page[Product], params=as_parameters(wanted, cursor, limit))

    async def list_categories(self, cursor: str | None, limit: int) -> Page[Category]:
        return await self._call("GET", "/categories", Page[Category], params=as_parameters(None, cursor, limit))

    async def availability(
        self, product_id: int, version: int | None = None, cursor: str | None = None, limit: int = LIMIT
    ) -> Page[AvailabilityChange]:
        params = as_parameters(None, cursor, limit) | ({} if version is None else {"version": version})
        path = f"/products/{product_id}/availability"
        return await self._call("GET", path, Page[AvailabilityChange], params=params)

    async def quote(self, product_ids: Sequence[int]) -> tuple[Quote, ...]:
        return await self._quotes.call(Wish(product_ids=tuple(product_ids)))

    async def create(self, actor: Actor, new: NewProduct) -> Product:
        return await self._call("POST", "/products", Product, new, token=actor.token)

    async def change(self, actor: Actor, product_id: int, change: ProductChange) -> Product:
        return await self._call("PUT", f"/products/{product_id}", Product, change, token=actor.token)

    async def delete(self, actor: Actor, product_id: int) -> None:
        await self._call("DELETE", f"/products/{product_id}", NoneType, token=actor.token)

    async def picture(self, name: str) -> bytes:
        return await self._call("GET", f"/products/pictures/{quoted(name, safe='')}", bytes)

    async def put_picture(self, actor: Actor, product_id: int, image: bytes) -> Product:
        return await self._call("PUT", f"/products/{product_id}/picture", Product, image, token=actor.token)

    async def create_category(self, actor: Actor, body: CategoryBody) -> Category:
        return await self._call("POST", "/categories", Category, body, token=actor.token)

    async def rename_category(self, actor: Actor, category_id: int, body: CategoryBody) -> Category:
        return await self._call("PUT", f"/categories/{category_id}", Category, body, token=actor.token)

    async def delete_category(self, actor: Actor, category_id: int) -> None:
        await self._call("DELETE", f"/categories/{category_id}", NoneType, token=actor.token)

"""Categories over HTTP; the callers' end is `HttpProductClient`."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from ecshop.kernel.conditions import IdempotencyKeyReused, PreconditionFailed
from ecshop.kernel.errors import InvalidCursor
from ecshop.kernel.http.conditional import IdempotencyKey, IfMatch, conditions
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.paging import LIMIT, Cursor, Limit
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import MAX_INT64, Page
from ecshop.product.contract import (
    WRITE,
    Category,
    CategoryBody,
    CategoryExists,
    CategoryInUse,
    CategoryNotFound,
)
from ecshop.product.service import ProductService

AnyRequest = Request[Actor, Any, Any]
PathId = Annotated[int, PathParameter(ge=1, le=MAX_INT64)]


class CategoryController(Controller):
    tags = ("product",)

    @get("/categories", **operation("List categories", InvalidCursor))
    async def list_categories(
        self, product: NamedDependency[ProductService], cursor: Cursor = None, limit: Limit = LIMIT
    ) -> Page[Category]:
        return await product.list_categories(cursor, limit)

    @post(
        "/categories",
        **operation(
            "Add a category",
            CategoryExists,
            IdempotencyKeyReused,
            *BODY_ERRORS,
            role=Role.STAFF,
            key_scope=WRITE,
            makes="/categories/{id}",
            tagged=True,
        ),
    )
    async def create_category(
        self,
        product: NamedDependency[ProductService],
        request: AnyRequest,
        data: JSONBody[CategoryBody],
        idempotency_key: IdempotencyKey = None,
    ) -> Category:
        return await product.create_category(request.user, data, conditions(request, idempotency_key, body=data))

    @get("/categories/{category_id:int}", **operation("Get a category", CategoryNotFound, tagged=True))
    async def get_category(self, product: NamedDependency[ProductService], category_id: PathId) -> Category:
        return await product.get_category(category_id)

    @put(
        "/categories/{category_id:int}",
        **operation(
            "Rename a category",
            CategoryNotFound,
            CategoryExists,
            PreconditionFailed,
            *BODY_ERRORS,
            role=Role.STAFF,
            key_scope=WRITE,
            tagged=True,
        ),
    )
    async def rename_category(
        self,
        product: NamedDependency[ProductService],
        request: AnyRequest,
        category_id: PathId,
        data: JSONBody[CategoryBody],
        if_match: IfMatch = None,
    ) -> Category:
        return await product.rename_category(request.user, category_id, data, conditions(request, if_match=if_match))

    @delete(
        "/categories/{category_id:int}",
        **operation(
            "Delete a category", CategoryNotFound, CategoryInUse, PreconditionFailed, role=Role.STAFF, key_scope=WRITE
        ),
    )
    async def delete_category(
        self,
        product: NamedDependency[ProductService],
        request: AnyRequest,
        category_id: PathId,
        if_match: IfMatch = None,
    ) -> None:
        await product.delete_category(request.user, category_id, conditions(request, if_match=if_match))

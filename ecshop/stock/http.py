"""Both ends of stock's HTTP contract, side by side, so that a path is changed in one sitting."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from ecshop.kernel.errors import InvalidCursor
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.paging import LIMIT, Cursor, Limit, UpdatedAfter
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import MAX_INT64, Page
from ecshop.product.contract import ProductNotFound
from ecshop.stock.contract import (
    Adjustment,
    InsufficientStock,
    Line,
    Movement,
    NewStock,
    Reservation,
    ReservationConflict,
    ReservationReleased,
    StockExists,
    StockItem,
    StockLevel,
    StockLimit,
    StockNotFound,
    StockReserved,
)
from ecshop.stock.service import StockService

ProductId = Annotated[int, PathParameter(ge=1, le=MAX_INT64)]
Attempt = Annotated[int, QueryParameter(ge=0, le=MAX_INT64)]
RESERVE = "stock.reserve"


class StockController(Controller):
    tags = ("stock",)

    @get("/stock", **operation("List stock", InvalidCursor))
    async def list_stock(
        self,
        stock: NamedDependency[StockService],
        updated_after: UpdatedAfter = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[StockItem]:
        return await stock.list(updated_after, cursor, limit)

    @post(
        "/stock",
        **operation(
            "Register stock", ProductNotFound, StockExists, *BODY_ERRORS, role=Role.STAFF, makes="/stock/{product_id}"
        ),
    )
    async def register_stock(
        self, stock: NamedDependency[StockService], request: Request[Actor, Any, Any], data: JSONBody[NewStock]
    ) -> StockItem:
        """From now on the product can be ordered as long as units are available."""
        return await stock.register(request.user, data)

    @get("/stock/{product_id:int}", **operation("Get a product's stock", StockNotFound))
    async def get_stock(self, stock: NamedDependency[StockService], product_id: ProductId) -> StockItem:
        return await stock.get(product_id)

    @put(
        "/stock/{product_id:int}",
        **operation("Set what is on hand", StockNotFound, StockReserved, *BODY_ERRORS, role=Role.STAFF),
    )
    async def set_stock(
        self,
        stock: NamedDependency[StockService],
        request: Request[Actor, Any, Any],
        product_id: ProductId,
        data: JSONBody[StockLevel],
    ) -> StockItem:
        """After a stocktaking; the ledger gets the difference."""
        return await stock.set_level(request.user, product_id, data)

    @delete(
        "/stock/{product_id:int}",
        **operation("Stop keeping a product", StockNotFound, StockReserved, role=Role.STAFF),
    )
    async def remove_stock(
        self, stock: NamedDependency[StockService], request: Request[Actor, Any, Any], product_id: ProductId
    ) -> None:
        """Its ledger stays."""
        await stock.remove(request.user, product_id)

    @post(
        "/stock/{product_id:int}/adjustments",
        **operation(
            "Adjust stock",
            StockNotFound,
            StockReserved,
            StockLimit,
            *BODY_ERRORS,
            role=Role.STAFF,
            makes="/stock/{product_id}/movements",
        ),
    )
    async def adjust_stock(
        self,
        stock: NamedDependency[StockService],
        request: Request[Actor, Any, Any],
        product_id: ProductId,
        data: JSONBody[Adjustment],
    ) -> StockItem:
        """A delivery, a breakage, a theft: `delta` units more or fewer."""
        return await stock.adjust(request.user, product_id, data)

    @get(
        "/stock/{product_id:int}/movements",
        **operation("List a product's movements", StockNotFound, InvalidCursor, role=Role.STAFF),
    )
    async def list_movements(
        self,
        stock: NamedDependency[StockService],
        product_id: ProductId,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[Movement]:
        """The ledger, newest first."""
        return await stock.list_movements(product_id, cursor, limit)


class StockInternal(Controller):
    tags = ("stock",)

    @put(
        "/internal/reservations/{order_id:uuid}",
        **operation(
            "Hold stock for an order",
            InsufficientStock,
            ReservationReleased,
            ReservationConflict,
            *BODY_ERRORS,
            scope=RESERVE,
        ),
    )
    async def reserve(
        self,
        stock: NamedDependency[StockService],
        order_id: FromPath[UUID],
        data: JSONBody[tuple[Line, ...]],
        attempt: Attempt,
    ) -> Reservation:
        return await stock.reserve(order_id, data, attempt)

    @delete("/internal/reservations/{order_id:uuid}", **operation("Give back what an attempt holds", scope=RESERVE))
    async def withdraw(self, stock: NamedDependency[StockService], order_id: FromPath[UUID], attempt: Attempt) -> None:
        """Of an order that was certainly not recorded."""
        await stock.withdraw(order_id, attempt)


class HttpStockClient:
    def __init__(self, remote: Remote) -> None:
        self._call = remote.call

    async def reserve(self, order_id: UUID, lines: Sequence[Line], attempt: int = 0) -> Reservation:
        path, params = f"/internal/reservations/{order_id}", {"attempt": attempt}
        return await self._call("PUT", path, Reservation, lines, params=params)

    async def withdraw(self, order_id: UUID, attempt: int) -> None:
        path, params = f"/internal/reservations/{order_id}", {"attempt": attempt}
        await self._call("DELETE", path, NoneType, params=params)

    async def get(self, product_id: int) -> StockItem:
        return await self._call("GET", f"/stock/{product_id}", StockItem)

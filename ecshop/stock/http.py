"""Both ends of stock's HTTP contract, side by side, so that a path is changed in one sitting."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from ecshop.kernel.conditions import IdempotencyKeyReused, PreconditionFailed
from ecshop.kernel.errors import InvalidCursor
from ecshop.kernel.http.conditional import IdempotencyKey, IfMatch, conditions
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.paging import LIMIT, Cursor, Limit, UpdatedAfter, as_parameters
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.http.together import MOST_ITEMS, Item, Outcome, Together, serve_each
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import MAX_INT64, Id, Page
from ecshop.product.contract import ProductNotFound
from ecshop.stock.contract import (
    MOST_PRODUCTS,
    READ,
    RESERVE,
    WRITE,
    Adjustment,
    InsufficientStock,
    Line,
    Movement,
    NewStock,
    Reservation,
    ReservationConflict,
    ReservationNotFound,
    ReservationReleased,
    ReservationStatus,
    StockExists,
    StockFilter,
    StockItem,
    StockLevel,
    StockLimit,
    StockNotFound,
    StockReserved,
)
from ecshop.stock.service import StockService

AnyRequest = Request[Actor, Any, Any]
AnyonesRequest = Request[Actor | None, Any, Any]
ProductId = Annotated[int, PathParameter(ge=1, le=MAX_INT64)]
Attempt = Annotated[int, QueryParameter(ge=0, le=MAX_INT64)]


class Wish(Item):
    """What one attempt to place an order is to hold."""

    order_id: Annotated[UUID, Meta(examples=["01a208cf-ca8f-7408-a679-bf3a1688dcc1"])]
    lines: tuple[Line, ...]
    attempt: Annotated[int, Meta(ge=0, le=MAX_INT64, examples=[1])] = 0


Wishes = Annotated[tuple[Wish, ...], Meta(min_length=1, max_length=MOST_ITEMS)]


class StockController(Controller):
    tags = ("stock",)

    @get("/stock", **operation("List stock", InvalidCursor, key_scope=READ, is_public=True))
    async def list_stock(
        self,
        stock: NamedDependency[StockService],
        request: AnyonesRequest,
        product_id: Annotated[
            tuple[Id, ...], QueryParameter(max_items=MOST_PRODUCTS, description="Of these alone, all on one page.")
        ] = (),
        updated_after: UpdatedAfter = None,
        low: Annotated[bool, QueryParameter(description="Low stock alone.")] = False,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[StockItem]:
        return await stock.list(request.user, StockFilter(product_id, updated_after, low), cursor, limit)

    @post(
        "/stock",
        **operation(
            "Register stock",
            ProductNotFound,
            StockExists,
            IdempotencyKeyReused,
            *BODY_ERRORS,
            role=Role.STAFF,
            key_scope=WRITE,
            makes="/stock/{product_id}",
            tagged=True,
        ),
    )
    async def register_stock(
        self,
        stock: NamedDependency[StockService],
        request: AnyRequest,
        data: JSONBody[NewStock],
        idempotency_key: IdempotencyKey = None,
    ) -> StockItem:
        """From now on the product can be ordered as long as units are available."""
        return await stock.register(request.user, data, conditions(request, idempotency_key, body=data))

    @get(
        "/stock/{product_id:int}",
        **operation("Get a product's stock", StockNotFound, key_scope=READ, is_public=True, tagged=True),
    )
    async def get_stock(
        self, stock: NamedDependency[StockService], request: AnyonesRequest, product_id: ProductId
    ) -> StockItem:
        return await stock.get(product_id, request.user)

    @get(
        "/stock/reservations/{order_id:uuid}",
        **operation("What became of an order's units?", ReservationNotFound, role=Role.CUSTOMER, key_scope=READ),
    )
    async def get_reservation(
        self, stock: NamedDependency[StockService], request: AnyRequest, order_id: FromPath[UUID]
    ) -> ReservationStatus:
        """Whoever knows the id of an order may ask."""
        return await stock.reservation(request.user, order_id)

    @put(
        "/stock/{product_id:int}",
        **operation(
            "Set what is on hand, or the low mark",
            StockNotFound,
            StockReserved,
            IdempotencyKeyReused,
            PreconditionFailed,
            *BODY_ERRORS,
            role=Role.STAFF,
            key_scope=WRITE,
            tagged=True,
        ),
    )
    async def set_stock(
        self,
        stock: NamedDependency[StockService],
        request: AnyRequest,
        product_id: ProductId,
        data: JSONBody[StockLevel],
        idempotency_key: IdempotencyKey = None,
        if_match: IfMatch = None,
    ) -> StockItem:
        """After a stocktaking; the ledger gets the difference. Fields that are left out stay."""
        made = conditions(request, idempotency_key, if_match, data)
        return await stock.set_level(request.user, product_id, data, made)

    @delete(
        "/stock/{product_id:int}",
        **operation(
            "Stop keeping a product", StockNotFound, StockReserved, PreconditionFailed, role=Role.STAFF, key_scope=WRITE
        ),
    )
    async def remove_stock(
        self,
        stock: NamedDependency[StockService],
        request: AnyRequest,
        product_id: ProductId,
        if_match: IfMatch = None,
    ) -> None:
        """Its ledger stays."""
        await stock.remove(request.user, product_id, conditions(request, if_match=if_match))

    @post(
        "/stock/{product_id:int}/adjustments",
        **operation(
            "Adjust stock",
            StockNotFound,
            StockReserved,
            StockLimit,
            IdempotencyKeyReused,
            PreconditionFailed,
            *BODY_ERRORS,
            role=Role.STAFF,
            key_scope=WRITE,
            makes="/stock/{product_id}/movements",
            tagged=True,
        ),
    )
    async def adjust_stock(
        self,
        stock: NamedDependency[StockService],
        request: AnyRequest,
        product_id: ProductId,
        data: JSONBody[Adjustment],
        idempotency_key: IdempotencyKey = None,
        if_match: IfMatch = None,
    ) -> StockItem:
        """A delivery, a breakage, a theft: `delta` units more or fewer."""
        made = conditions(request, idempotency_key, if_match, data)
        return await stock.adjust(request.user, product_id, data, made)

    @get(
        "/stock/{product_id:int}/movements",
        **operation("List a product's movements", StockNotFound, InvalidCursor, role=Role.STAFF, key_scope=READ),
    )
    async def list_movements(
        self,
        stock: NamedDependency[StockService],
        request: AnyRequest,
        product_id: ProductId,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[Movement]:
        """The ledger, newest first."""
        return await stock.movements(request.user, product_id, cursor, limit)


class StockInternal(Controller):
    tags = ("stock",)

    @post(
        "/internal/reservations",
        status_code=200,
        **operation(
            "Hold stock for orders",
            InsufficientStock,
            ReservationReleased,
            ReservationConflict,
            *BODY_ERRORS,
            scope=RESERVE,
        ),
    )
    async def reserve(self, stock: NamedDependency[StockService], data: JSONBody[Wishes]) -> list[Outcome]:
        """Each comes to a reservation, or to a problem of its own; the codes of `stock` are told of an item only."""
        return await serve_each("reserve", data, lambda wish: stock.reserve(wish.order_id, wish.lines, wish.attempt))

    @delete("/internal/reservations/{order_id:uuid}", **operation("Give back what an attempt holds", scope=RESERVE))
    async def withdraw(self, stock: NamedDependency[StockService], order_id: FromPath[UUID], attempt: Attempt) -> None:
        """Of an order that was certainly not recorded."""
        await stock.withdraw(order_id, attempt)


class HttpStockClient:
    def __init__(self, remote: Remote) -> None:
        self._call = remote.call
        self._reservations = Together(remote, "/internal/reservations", Reservation)

    async def reserve(self, order_id: UUID, lines: Sequence[Line], attempt: int = 0) -> Reservation:
        return await self._reservations.call(Wish(order_id=order_id, lines=tuple(lines), attempt=attempt))

    async def withdraw(self, order_id: UUID, attempt: int) -> None:
        path, params = f"/internal/reservations/{order_id}", {"attempt": attempt}
        await self._call("DELETE", path, NoneType, params=params)

    async def reservation(self, actor: Actor, order_id: UUID) -> ReservationStatus:
        return await self._call("GET", f"/stock/reservations/{order_id}", ReservationStatus, token=actor.token)

    async def get(self, product_id: int, actor: Actor | None = None) -> StockItem:
        return await self._call("GET", f"/stock/{product_id}", StockItem, token=actor.token if actor else "")

    async def get_many(self, product_ids: Sequence[int], actor: Actor | None = None) -> tuple[StockItem, ...]:
        params, token = {"product_id": list(product_ids)}, actor.token if actor else ""
        return (await self._call("GET", "/stock", Page[StockItem], params=params, token=token)).items

    async def list(self, actor: Actor, wanted: StockFilter, cursor: str | None, limit: int) -> Page[StockItem]:
        params = as_parameters(wanted, cursor, limit)
        return await self._call("GET", "/stock", Page[StockItem], params=params, token=actor.token)

    async def register(self, actor: Actor, new: NewStock) -> StockItem:
        return await self._call("POST", "/stock", StockItem, new, token=actor.token)

    async def adjust(self, actor: Actor, product_id: int, adjustment: Adjustment) -> StockItem:
        return await self._call("POST", f"/stock/{product_id}/adjustments", StockItem, adjustment, token=actor.token)

    async def set_level(self, actor: Actor, product_id: int, level: StockLevel) -> StockItem:
        return await self._call("PUT", f"/stock/{product_id}", StockItem, level, token=actor.token)

    async def movements(self, actor: Actor, product_id: int, cursor: str | None, limit: int) -> Page[Movement]:
        params = as_parameters(None, cursor, limit)
        return await self._call(
            "GET", f"/stock/{product_id}/movements", Page[Movement], params=params, token=actor.token
        )

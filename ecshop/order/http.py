"""Both ends of order's HTTP contract, side by side, so that a path is changed in one sitting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from ecshop.kernel.conditions import IdempotencyKeyReused, PreconditionFailed
from ecshop.kernel.errors import Forbidden, InvalidCursor
from ecshop.kernel.http.conditional import IdempotencyKey, IfMatch, conditions, unquoted
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.paging import LIMIT, Cursor, Limit, UpdatedAfter, as_parameters
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import MAX_INT64, Page
from ecshop.order.contract import (
    DEFAULT_CANCELLATION,
    MAX_QUANTITY,
    MOST_MINUTES,
    MOST_STATUSES,
    READ,
    WRITE,
    Cancellation,
    MixedCurrencies,
    NewOrder,
    OneLineOrder,
    Order,
    OrderExpired,
    OrderFilter,
    OrderNotConfirmed,
    OrderNotFound,
    OrderTimeline,
    Pace,
    PriceChanged,
    QuotaExceeded,
    Status,
    TooManyUnits,
    TotalTooLarge,
    WantedLine,
)
from ecshop.order.service import OrderService
from ecshop.product.contract import ProductDiscontinued, ProductNotFound
from ecshop.stock.contract import InsufficientStock

_REFUSALS = (
    ProductNotFound,
    ProductDiscontinued,
    InsufficientStock,
    MixedCurrencies,
    TotalTooLarge,
    OrderExpired,
    IdempotencyKeyReused,
    QuotaExceeded,
    TooManyUnits,
)


class OrderController(Controller):
    tags = ("order",)

    @post(
        "/orders",
        **operation(
            "Place an order",
            *_REFUSALS,
            PriceChanged,
            *BODY_ERRORS,
            role=Role.CUSTOMER,
            key_scope=WRITE,
            makes="/orders/{id}",
        ),
    )
    async def place_order(
        self,
        order: NamedDependency[OrderService],
        request: Request[Actor, Any, Any],
        data: JSONBody[NewOrder],
        idempotency_key: IdempotencyKey = None,
    ) -> Order:
        """All lines or none. Send an Idempotency-Key, and a repeat after a lost answer is safe."""
        return await order.place(request.user, data, unquoted(idempotency_key))

    @post(
        "/order",
        **operation(
            "Place an order of one product", *_REFUSALS, role=Role.CUSTOMER, key_scope=WRITE, makes="/orders/{id}"
        ),
    )
    async def place_one_line_order(
        self,
        order: NamedDependency[OrderService],
        request: Request[Actor, Any, Any],
        product_id: Annotated[int, QueryParameter(ge=1, le=MAX_INT64)],
        quantity: Annotated[int, QueryParameter(ge=1, le=MAX_QUANTITY)],
        idempotency_key: IdempotencyKey = None,
    ) -> OneLineOrder:
        """`POST /order?product_id=1&quantity=5`, without a body."""
        new = NewOrder((WantedLine(product_id, quantity),))
        placed = await order.place(request.user, new, unquoted(idempotency_key))
        return _with_its_line(placed)

    @get("/orders", **operation("List orders", InvalidCursor, role=Role.CUSTOMER, key_scope=READ))
    async def list_orders(
        self,
        order: NamedDependency[OrderService],
        request: Request[Actor, Any, Any],
        status: Annotated[Status | None, QueryParameter()] = None,
        product_id: Annotated[
            int | None, QueryParameter(ge=1, le=MAX_INT64, description="With a line of this product.")
        ] = None,
        user_id: Annotated[UUID | None, QueryParameter(description="Of this customer.")] = None,
        placed_after: Annotated[datetime | None, QueryParameter(description="Later than this.")] = None,
        placed_before: Annotated[datetime | None, QueryParameter(description="Earlier than this.")] = None,
        updated_after: UpdatedAfter = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[Order]:
        """Newest first: your own orders, or everybody's if you are staff."""
        wanted = OrderFilter(status, product_id, user_id, placed_after, placed_before, updated_after)
        return await order.list(request.user, wanted, cursor, limit)

    @get(
        "/orders/{order_id:uuid}",
        **operation("Get an order", OrderNotFound, role=Role.CUSTOMER, key_scope=READ, tagged=True),
    )
    async def get_order(
        self, order: NamedDependency[OrderService], request: Request[Actor, Any, Any], order_id: FromPath[UUID]
    ) -> Order:
        return await order.get(request.user, order_id)

    @get("/orders/statuses", **operation("How orders stand", role=Role.CUSTOMER, key_scope=READ))
    async def get_statuses(
        self,
        order: NamedDependency[OrderService],
        request: Request[Actor, Any, Any],
        order_id: Annotated[tuple[UUID, ...], QueryParameter(max_items=MOST_STATUSES)] = (),
    ) -> Mapping[UUID, Status]:
        """For whoever knows their ids: by id, and without those that there are not. To look again and again."""
        return await order.statuses(request.user, order_id)

    @get("/orders/pace", **operation("How orders go", role=Role.STAFF, key_scope=READ))
    async def get_pace(
        self,
        order: NamedDependency[OrderService],
        request: Request[Actor, Any, Any],
        since: Annotated[datetime, QueryParameter()],
        minutes: Annotated[int, QueryParameter(ge=0, le=MOST_MINUTES)] = MOST_MINUTES,
    ) -> Pace:
        """How many were placed in each of some minutes, and how long the newest hundred took."""
        return await order.pace(request.user, since, minutes)

    @get(
        "/orders/{order_id:uuid}/timeline",
        **operation("How an order came to be", OrderNotFound, role=Role.STAFF, key_scope=READ),
    )
    async def get_timeline(
        self, order: NamedDependency[OrderService], request: Request[Actor, Any, Any], order_id: FromPath[UUID]
    ) -> OrderTimeline:
        """What was done when, and the ids of the events that tell of it."""
        return await order.timeline(request.user, order_id)

    @post(
        "/orders/{order_id:uuid}/cancel",
        status_code=200,
        **operation(
            "Cancel an order",
            OrderNotFound,
            OrderNotConfirmed,
            Forbidden,
            PreconditionFailed,
            *BODY_ERRORS,
            role=Role.CUSTOMER,
            key_scope=WRITE,
            tagged=True,
        ),
    )
    async def cancel_order(
        self,
        order: NamedDependency[OrderService],
        request: Request[Actor, Any, Any],
        order_id: FromPath[UUID],
        data: JSONBody[Cancellation] = DEFAULT_CANCELLATION,
        if_match: IfMatch = None,
    ) -> Order:
        """Its units come back to the stock, unless staff says with `restock` that they do not. A body may be sent."""
        return await order.cancel(request.user, order_id, data, conditions(request, if_match=if_match))

    @post(
        "/orders/{order_id:uuid}/fulfil",
        status_code=200,
        **operation(
            "Mark an order as fulfilled",
            OrderNotFound,
            OrderNotConfirmed,
            PreconditionFailed,
            role=Role.STAFF,
            key_scope=WRITE,
            tagged=True,
        ),
    )
    async def fulfil_order(
        self,
        order: NamedDependency[OrderService],
        request: Request[Actor, Any, Any],
        order_id: FromPath[UUID],
        if_match: IfMatch = None,
    ) -> Order:
        """It has been handed over or shipped, and cannot be cancelled any more."""
        return await order.fulfil(request.user, order_id, conditions(request, if_match=if_match))


def _with_its_line(placed: Order) -> OneLineOrder:
    [line] = placed.lines
    whole = {name: getattr(placed, name) for name in placed.__struct_fields__}
    return OneLineOrder(**whole, product_id=line.product_id, quantity=line.quantity, order_at=placed.placed_at)


class HttpOrderClient:
    """Calls in the actor's own name, with the actor's token."""

    def __init__(self, remote: Remote) -> None:
        self._call = remote.call

    async def place(self, actor: Actor, new: NewOrder, idempotency_key: str | None = None) -> Order:
        headers = {} if idempotency_key is None else {"idempotency-key": idempotency_key}
        return await self._call("POST", "/orders", Order, new, token=actor.token, headers=headers)

    async def get(self, actor: Actor, order_id: UUID) -> Order:
        return await self._call("GET", f"/orders/{order_id}", Order, token=actor.token)

    async def statuses(self, actor: Actor, order_ids: Sequence[UUID]) -> Mapping[UUID, Status]:
        params = {"order_id": [str(order_id) for order_id in order_ids]}
        found = await self._call("GET", "/orders/statuses", dict[UUID, Status], params=params, token=actor.token)
        return found

    async def pace(self, actor: Actor, since: datetime, minutes: int) -> Pace:
        params = {"since": since.isoformat(), "minutes": minutes}
        return await self._call("GET", "/orders/pace", Pace, params=params, token=actor.token)

    async def timeline(self, actor: Actor, order_id: UUID) -> OrderTimeline:
        return await self._call("GET", f"/orders/{order_id}/timeline", OrderTimeline, token=actor.token)

    async def list(self, actor: Actor, wanted: OrderFilter, cursor: str | None, limit: int) -> Page[Order]:
        params = as_parameters(wanted, cursor, limit)
        return await self._call("GET", "/orders", Page[Order], params=params, token=actor.token)

    async def cancel(self, actor: Actor, order_id: UUID, cancellation: Cancellation = DEFAULT_CANCELLATION) -> Order:
        return await self._call("POST", f"/orders/{order_id}/cancel", Order, cancellation, token=actor.token)

    async def fulfil(self, actor: Actor, order_id: UUID) -> Order:
        return await self._call("POST", f"/orders/{order_id}/fulfil", Order, token=actor.token)

"""What other contexts may know about orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, Protocol, runtime_checkable
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ecshop.kernel.currency import Currency
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.kernel.validation import Wrong
from ecshop.kernel.values import LONGEST_REASON, Id, Page, Reason, Spread
from ecshop.kernel.words import keep_name

MAX_QUANTITY: Final = 10_000
MAX_LINES: Final = 100
MAX_TOTAL: Final = 2**53 - 1
"""What JavaScript can hold (RFC 8259, section 6)."""
READ: Final = "order.read"
WRITE: Final = "order.write"
"""What an API key is good for."""
MOST_MINUTES: Final = 60
MOST_STATUSES: Final = 100
"""That are asked for at once."""

Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY, examples=[5])]
Amount = Annotated[int, Meta(examples=[6000])]
ExpectedTotal = Annotated[int, Meta(ge=0, le=MAX_TOTAL, description="What the buyer was shown.", examples=[6000])]
Status = Literal["confirmed", "fulfilled", "cancelled"]
Canceller = Literal["customer", "staff", "shop"]
"""The shop itself gives up what was never recorded."""


class WantedLine(Struct, frozen=True, forbid_unknown_fields=True):
    product_id: Id
    quantity: Quantity

    def __post_init__(self) -> None:
        if not 1 <= self.quantity <= MAX_QUANTITY:  # a local caller constructs lines without decoding them
            raise Wrong("quantity", f"must be from 1 to {MAX_QUANTITY}")


class NewOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Each product once, all in one currency. An order that comes to something else than is expected is refused."""

    lines: Annotated[tuple[WantedLine, ...], Meta(min_length=1, max_length=MAX_LINES)]
    expected_total: ExpectedTotal | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET

    def __post_init__(self) -> None:
        if len({line.product_id for line in self.lines}) < len(self.lines) or not self.lines:
            raise Wrong("lines", "must name at least one product, and each product once")


class OrderLine(Struct, frozen=True):
    """Name and price are those of the moment of the order; amounts are in the currency's minor unit."""

    product_id: Id
    name: Annotated[str, Meta(examples=["Green tea"])]
    quantity: Quantity
    unit_price: Annotated[int, Meta(examples=[1200])]
    subtotal: Amount


class Order(Struct, frozen=True):
    """`cancelled_by` is "customer" where it was the one who placed the order; `reason` is what was given then."""

    id: UUID
    status: Status
    user_id: UUID
    lines: tuple[OrderLine, ...]
    total: Amount
    currency: Annotated[str, Meta(examples=["JPY"])]
    placed_at: datetime
    updated_at: datetime
    fulfilled_at: datetime | None
    cancelled_at: datetime | None
    cancelled_by: Canceller | None
    reason: Reason | None


class OrderTimeline(Struct, frozen=True):
    """How an order came to be and ended, for staff: it is kept as long as the order.

    `began_at` is when the request came in, `recorded_at` when the order stood. The two events are those that tell of
    the order, and of its end.
    """

    order: Order
    request_id: str | None
    trace_id: str | None
    began_at: datetime
    quoted_at: datetime
    reserved_at: datetime
    recorded_at: datetime
    confirmed_event: UUID
    ended_by: UUID | None
    ended_event: UUID | None


class Pace(Struct, frozen=True):
    """How many orders were `placed` in each minute, and how long the newest hundred took, each step of them.

    They are null where there is no order yet; `whole` is from the request to the order's row.
    """

    placed: tuple[int, ...]
    quoted: Spread | None
    reserved: Spread | None
    recorded: Spread | None
    whole: Spread | None


class OneLineOrder(Order, frozen=True):
    """An order of one product, with its line at the top as well."""

    product_id: Id
    quantity: Quantity
    order_at: datetime


class Cancellation(Struct, frozen=True, forbid_unknown_fields=True):
    """Without `restock` the units do not come back on the shelf: they are lost, or broken. Only staff may say so."""

    reason: Reason | UnsetType = UNSET
    restock: bool = True

    def __post_init__(self) -> None:
        keep_name(self, "reason", LONGEST_REASON)


DEFAULT_CANCELLATION: Final = Cancellation()


class OrderFilter(Struct, frozen=True):
    """The bounds of times are not part of them. A customer finds only their own orders, whomever they ask for."""

    status: Status | None = None
    product_id: int | None = None
    user_id: UUID | None = None
    placed_after: datetime | None = None
    placed_before: datetime | None = None
    updated_after: datetime | None = None


class OrderNotFound(EcshopError, code="order.not_found", status=404):
    """There is no such order, or it is somebody else's."""


class OrderNotConfirmed(EcshopError, code="order.not_confirmed", status=409, example={"order_status": "fulfilled"}):
    """Only a confirmed order can be cancelled or fulfilled; `order_status` is what it is."""


class OrderExpired(EcshopError, code="order.expired", status=409):
    """The order took too long and was given up; place it again."""


class MixedCurrencies(EcshopError, code="order.mixed_currencies", status=409, example={"currencies": ["EUR", "JPY"]}):
    """The products of one order must be priced in one currency."""


class PriceChanged(
    EcshopError,
    code="order.price_changed",
    status=409,
    example={"expected_total": 6000, "total": 7500, "expected_currency": "JPY", "currency": "JPY"},
):
    """Prices are not what the buyer was shown; nothing is held. Show the new total, and order again with it."""


class TotalTooLarge(EcshopError, code="order.total_too_large", status=409, example={"limit": MAX_TOTAL}):
    """The total is more than a number of JSON can hold in every client; order less at once."""


class QuotaExceeded(EcshopError, code="order.quota_exceeded", status=429, example={"retry_after": 1800}):
    """A customer orders so many times, and so many units, in an hour; `retry_after` is in seconds."""


class TooManyUnits(EcshopError, code="order.too_many_units", status=409, example={"limit": 10, "product_id": 1}):
    """More of a product than one order may have; `limit` is how many it may."""


@runtime_checkable
class OrderClient(Protocol):
    async def place(self, actor: Actor, new: NewOrder, idempotency_key: str | None = None) -> Order:
        """All lines or none; the same key places the same order once and answers the same again.

        Raises `ProductNotFound`, `ProductDiscontinued`, `InsufficientStock`, `MixedCurrencies`, `TotalTooLarge`,
        `PriceChanged`, `OrderExpired`, `IdempotencyKeyReused`, `QuotaExceeded` or `TooManyUnits`.
        """
        ...

    async def get(self, actor: Actor, order_id: UUID) -> Order:
        """Raises `OrderNotFound`, also for an order that is not the actor's."""
        ...

    async def statuses(self, actor: Actor, order_ids: Sequence[UUID]) -> Mapping[UUID, Status]:
        """For whoever knows the orders' ids; those that there are not are left out. At most `MOST_STATUSES`."""
        ...

    async def timeline(self, actor: Actor, order_id: UUID) -> OrderTimeline:
        """For staff. Raises `OrderNotFound`."""
        ...

    async def pace(self, actor: Actor, since: datetime, minutes: int) -> Pace:
        """For staff: of so many minutes from `since` on, at most `MOST_MINUTES`."""
        ...

    async def list(self, actor: Actor, wanted: OrderFilter, cursor: str | None, limit: int) -> Page[Order]:
        """Newest first: the actor's own orders, or everybody's for staff. Raises `InvalidCursor`."""
        ...

    async def cancel(self, actor: Actor, order_id: UUID, cancellation: Cancellation = DEFAULT_CANCELLATION) -> Order:
        """Its units come back by an event; a repeat changes nothing.

        Raises `OrderNotFound` or `OrderNotConfirmed`, or `Forbidden` for what only staff may ask for.
        """
        ...

    async def fulfil(self, actor: Actor, order_id: UUID) -> Order:
        """For staff; a repeat changes nothing. Raises `OrderNotFound` or `OrderNotConfirmed`."""
        ...

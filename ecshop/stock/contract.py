"""What other contexts may know about stock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, Protocol, runtime_checkable
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.kernel.validation import Wrong
from ecshop.kernel.values import LONGEST_REASON, Id, Page, Reason
from ecshop.kernel.words import keep_name

MAX_UNITS: Final = 10**12
MAX_QUANTITY: Final = 10_000
MOST_PRODUCTS: Final = 100
LOW: Final = 5
"""Units, where no other mark is set: so few that a shopper should be told, or fewer."""
RESERVE: Final = "stock.reserve"
"""What a service needs leave for, to hold units and to give them back."""
READ: Final = "stock.read"
WRITE: Final = "stock.write"
"""What an API key is good for, beside what is public."""

Units = Annotated[int, Meta(ge=0, le=MAX_UNITS, examples=[5])]
Delta = Annotated[int, Meta(ge=-MAX_UNITS, le=MAX_UNITS, description="Not 0.", examples=[5])]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY, examples=[1])]


LowMark = Annotated[
    int, Meta(ge=0, le=MAX_UNITS, description="So few available, or fewer, are low stock.", examples=[LOW])
]


class NewStock(Struct, frozen=True, forbid_unknown_fields=True):
    product_id: Id
    stock: Units
    low_mark: LowMark = LOW


class StockLevel(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    stock: Units | UnsetType = UNSET
    low_mark: LowMark | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.stock is UNSET and self.low_mark is UNSET:
            raise Wrong("stock", "must be there, or else low_mark")


class StockFilter(Struct, frozen=True):
    """Which items a list has. Those that are named come alone, and all on one page."""

    product_id: tuple[int, ...] = ()
    updated_after: datetime | None = None
    low: bool = False


class Adjustment(Struct, frozen=True, forbid_unknown_fields=True):
    delta: Delta
    reason: Reason

    def __post_init__(self) -> None:
        if self.delta == 0:
            raise Wrong("delta", "must not be 0")
        keep_name(self, "reason", LONGEST_REASON)


class StockItem(Struct, frozen=True):
    """`stock` is on hand, `reserved` of it promised to orders, `available` the rest; `version` counts the changes.

    A shop may keep these numbers for staff: then they are left out for others.
    """

    product_id: Id
    in_stock: Annotated[bool, Meta(description="Whether anything is available.")]
    low_stock: Annotated[bool, Meta(description="Whether as many units as its low mark, or fewer, are.")]
    stock: Units | UnsetType = UNSET
    reserved: Annotated[int | UnsetType, Meta(examples=[2])] = UNSET
    available: Annotated[int | UnsetType, Meta(examples=[3])] = UNSET
    version: Annotated[int | UnsetType, Meta(examples=[7])] = UNSET
    updated_at: datetime | UnsetType = UNSET
    low_mark: Annotated[int | UnsetType, Meta(examples=[LOW])] = UNSET


class Movement(Struct, frozen=True):
    """A line of the ledger: `on_hand` is what was there afterwards, `reference` the order that it was for.

    `actor` is the user who made it, and null where an event did.
    """

    id: int
    delta: Annotated[int, Meta(examples=[5])]
    on_hand: Units
    reason: Reason
    reference: UUID | None
    actor: UUID | None
    at: datetime


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    product_id: Id
    quantity: Quantity

    def __post_init__(self) -> None:
        if not 1 <= self.quantity <= MAX_QUANTITY:  # a local caller constructs lines without decoding them
            raise Wrong("quantity", f"must be from 1 to {MAX_QUANTITY}")


class Reservation(Struct, frozen=True):
    order_id: UUID
    lines: tuple[Line, ...]


ReservationState = Literal["held", "withdrawn", "committed", "released", "returned", "written_off"]


class SoldOut(Struct, frozen=True):
    """The order took the last unit of it; `event_id` is that of the event which says so."""

    product_id: Id
    version: int
    event_id: UUID


class ReservationStatus(Struct, frozen=True):
    """`held` units are promised, `committed` ones have left the stock, `returned` ones have come back into it.

    `committed_at` is when they left, `ended_at` when they came free, came back or were written off.
    """

    order_id: UUID
    state: ReservationState
    committed_at: datetime | None = None
    ended_at: datetime | None = None
    sold_out: tuple[SoldOut, ...] = ()


class StockNotFound(EcshopError, code="stock.not_found", status=404):
    """No stock is registered for this product."""


class StockExists(EcshopError, code="stock.exists", status=409):
    """Stock is registered for this product already; adjust it instead."""


class StockReserved(EcshopError, code="stock.reserved", status=409, example={"on_hand": 5, "reserved": 3}):
    """Fewer units would be on hand than are promised to orders, or fewer than none."""


class StockLimit(EcshopError, code="stock.limit", status=409):
    """More units would be on hand than can be counted."""


class InsufficientStock(
    EcshopError,
    code="stock.insufficient",
    status=409,
    example={"lines": [{"product_id": 7, "quantity": 5, "available": 3}]},
):
    """Not enough is available; `lines` names what falls short, and what is left of it where the shop tells."""


class ReservationNotFound(EcshopError, code="stock.reservation_not_found", status=404):
    """No units were ever held for this order."""


class ReservationReleased(EcshopError, code="stock.reservation_released", status=409):
    """The order was given up before; its units cannot be held again."""


class ReservationConflict(EcshopError, code="stock.reservation_conflict", status=409):
    """Other lines are held for this order already."""


@runtime_checkable
class StockClient(Protocol):
    async def reserve(self, order_id: UUID, lines: Sequence[Line], attempt: int = 0) -> Reservation:
        """Hold all lines for the order or none; a repeat changes nothing. An `attempt` other than 0 can be withdrawn.

        Raises `InsufficientStock`, `ReservationReleased` or `ReservationConflict`.
        """
        ...

    async def withdraw(self, order_id: UUID, attempt: int) -> None:
        """Give back what this attempt alone holds; a reserve of it that comes later is refused.

        Only for an attempt whose order is certainly not recorded, and never will be.
        """
        ...

    async def reservation(self, actor: Actor, order_id: UUID) -> ReservationStatus:
        """For whoever knows the order's id. Raises `ReservationNotFound`."""
        ...

    async def get(self, product_id: int, actor: Actor | None = None) -> StockItem:
        """As the actor may see it. Raises `StockNotFound`."""
        ...

    async def get_many(self, product_ids: Sequence[int], actor: Actor | None = None) -> tuple[StockItem, ...]:
        """Of those products of which any is kept, in the order of their ids; at most a hundred are asked for."""
        ...


@runtime_checkable
class StaffStockClient(StockClient, Protocol):
    """What staff may ask for besides."""

    async def register(self, actor: Actor, new: NewStock) -> StockItem:
        """Raises `ProductNotFound` or `StockExists`."""
        ...

    async def adjust(self, actor: Actor, product_id: int, adjustment: Adjustment) -> StockItem:
        """Raises `StockNotFound`, `StockReserved` or `StockLimit`."""
        ...

    async def list(self, actor: Actor, wanted: StockFilter, cursor: str | None, limit: int) -> Page[StockItem]:
        """In the order of the products. Raises `InvalidCursor`."""
        ...

    async def set_level(self, actor: Actor, product_id: int, level: StockLevel) -> StockItem:
        """After a count; or its low mark. Raises `StockNotFound` or `StockReserved`."""
        ...

    async def movements(self, actor: Actor, product_id: int, cursor: str | None, limit: int) -> Page[Movement]:
        """The ledger, newest first. Raises `StockNotFound` where there never was any, or `InvalidCursor`."""
        ...

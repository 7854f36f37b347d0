"""The published language: every event, and all that a context may know of another one's news.

An event is a fact in the past tense. `version` counts the changes of its aggregate; a receiver that
knows a newer one ignores the event. A change that old receivers cannot read gets a new type, `...v2`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Final, TypeVar
from uuid import UUID

import msgspec

from ecshop.kernel.telemetry.cause import UNKNOWN, Cause


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`cause` is because of what it came to be, `happened_at` when it did; both travel in the envelope.

    A fact that may have to be told again says when it happened: it then has the same id each time.
    """

    type: ClassVar[str]
    cause: Cause = UNKNOWN
    happened_at: datetime | None = None

    @property
    def subject(self) -> str:
        """The id of the aggregate that the event is about."""
        raise NotImplementedError

    @property
    def fact(self) -> str:
        """What makes it the same event when it is told again."""
        return f"{self.type} {self.subject}"


E = TypeVar("E", bound=type[Event])

CATALOG: Final[dict[str, type[Event]]] = {}


def published_as(name: str) -> Callable[[E], E]:
    def register(cls: E) -> E:
        cls.type = name
        CATALOG[name] = cls
        return cls

    return register


def source_of(type_: str) -> str:
    """The context that publishes events of this type: `ecshop.order.confirmed.v1` comes from `order`."""
    return type_.split(".")[1]


class OrderedUnits(msgspec.Struct, frozen=True):
    product_id: int
    quantity: int


class OrderEvent(Event, frozen=True):
    order_id: UUID
    version: int

    @property
    def subject(self) -> str:
        return str(self.order_id)

    @property
    def fact(self) -> str:
        return f"{self.type} {self.order_id} {self.version}"


@published_as("ecshop.order.confirmed.v1")
class OrderConfirmed(OrderEvent, frozen=True):
    user_id: UUID
    lines: tuple[OrderedUnits, ...]
    total: int
    currency: str


@published_as("ecshop.order.cancelled.v1")
class OrderCancelled(OrderEvent, frozen=True):
    """Also for an order that never came to be: its units are given back the same way.

    Without `restock` they are not: they are lost, or broken, and leave the stock even if they are only held so far.
    """

    restock: bool = True


@published_as("ecshop.order.fulfilled.v1")
class OrderFulfilled(OrderEvent, frozen=True):
    pass


@published_as("ecshop.product.deleted.v1")
class ProductDeleted(Event, frozen=True):
    product_id: int

    @property
    def subject(self) -> str:
        return str(self.product_id)


class StockEvent(Event, frozen=True):
    product_id: int
    version: int

    @property
    def subject(self) -> str:
        return str(self.product_id)

    @property
    def fact(self) -> str:
        return f"{self.type} {self.product_id} {self.version}"


@published_as("ecshop.stock.depleted.v1")
class StockDepleted(StockEvent, frozen=True):
    """The last unit on hand is gone."""


@published_as("ecshop.stock.replenished.v1")
class StockReplenished(StockEvent, frozen=True):
    """There are units on hand again."""


@published_as("ecshop.stock.reservation_expired.v1")
class ReservationExpired(Event, frozen=True):
    """Units are held for an order that nobody has recorded in time; published again until its end is known."""

    order_id: UUID

    @property
    def subject(self) -> str:
        return str(self.order_id)

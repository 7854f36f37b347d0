"""A shop whose every step is somebody else's choice: its services and relays, over a broker and wires that fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Generator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from types import coroutine
from typing import Any, Final
from uuid import UUID

from ecshop.events import tables
from ecshop.events.catalog import Event, OrderCancelled, OrderConfirmed, OrderEvent
from ecshop.events.consumer import Consumer, Handler
from ecshop.events.outbox import purge
from ecshop.events.relay import Relay
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import SetWise
from ecshop.kernel.errors import Aborted, EcshopError, Unavailable
from ecshop.kernel.identity import Actor, Role
from ecshop.order import models as order_models
from ecshop.order import module as order_module
from ecshop.order.contract import NewOrder, Order
from ecshop.order.records import Placement, record
from ecshop.order.service import OrderService
from ecshop.oversight.dead_letters import all_letters, replay
from ecshop.product import models as product_models
from ecshop.product import module as product_module
from ecshop.product.service import ProductService
from ecshop.stock import models as stock_models
from ecshop.stock import module as stock_module
from ecshop.stock.contract import Line, Reservation, ReservationStatus, StockItem
from ecshop.stock.service import StockService
from entrypoints.buses import groups
from tests.unit.forgetful_broker import ForgetfulBroker
from tests.unit.inline_database import InlineDatabase, Item, ListenerFailed, Outcome, at_once

STAFF: Final = Actor(UUID(int=1), Role.STAFF)
PATIENCE: Final = timedelta(minutes=1)
COUNTING: Final = "counting"
_IN_TIME: Final = -1.0
"""Each quote is older than that when the order is recorded, and asked for again."""


class At(StrEnum):
    """Where an attempt to place an order waits for what happens to it."""

    RESERVE_SENT, RESERVE_ANSWERED = "reserve sent", "reserve answered"
    RECORD_SENT, RECORD_ANSWERED = "record sent", "record answered"


FAILURES: Final[Mapping[At, Sequence[type[BaseException]]]] = {
    At.RESERVE_SENT: (Unavailable, Aborted, asyncio.CancelledError),
    At.RESERVE_ANSWERED: (Unavailable, asyncio.CancelledError),
    At.RECORD_SENT: (Unavailable, Aborted, asyncio.CancelledError),
    At.RECORD_ANSWERED: (Unavailable, asyncio.CancelledError),
}


@coroutine
def _wait(at: At) -> Generator[At, None, None]:
    yield at


class Wire:
    """Stock as order sees it: what is sent may come late or again, and what is answered may be lost."""

    def __init__(self, stock: StockService) -> None:
        self._stock = stock
        self.sent: list[tuple[UUID, Sequence[Line], int]] = []
        self.attempts: dict[UUID, set[int]] = {}
        self.withdrawn: set[tuple[UUID, int]] = set()

    async def reserve(self, order_id: UUID, lines: Sequence[Line], attempt: int = 0) -> Reservation:
        request = (order_id, lines, attempt)
        self.sent.append(request)
        self.attempts.setdefault(order_id, set()).add(attempt)
        try:
            await _wait(At.RESERVE_SENT)
        except Aborted:
            self.sent.remove(request)
            raise
        try:
            answer: Reservation | EcshopError = await self._stock.reserve(*request)
        except EcshopError as refusal:
            answer = refusal
        await _wait(At.RESERVE_ANSWERED)
        if isinstance(answer, EcshopError):
            raise answer
        return answer

    async def withdraw(self, order_id: UUID, attempt: int) -> None:
        await self._stock.withdraw(order_id, attempt)
        self.withdrawn.add((order_id, attempt))

    async def reservation(self, actor: Actor, order_id: UUID) -> ReservationStatus:
        return await self._stock.reservation(actor, order_id)

    async def get(self, product_id: int, actor: Actor | None = None) -> StockItem:
        return await self._stock.get(product_id, actor)

    async def get_many(self, product_ids: Sequence[int], actor: Actor | None = None) -> tuple[StockItem, ...]:
        return await self._stock.get_many(product_ids, actor)


class OrderDatabase(InlineDatabase):
    """A record that nobody waits for any more may be written yet: it is `late` then."""

    def __init__(self) -> None:
        super().__init__(order_models.Base)
        self.late: list[Any] = []

    async def write_many(self, fn: SetWise[Item, Outcome], item: Item) -> Outcome:
        try:
            await _wait(At.RECORD_SENT)
        except Aborted:
            raise
        except (Unavailable, asyncio.CancelledError):
            self.late.append(item)
            raise
        outcome = await super().write_many(fn, item)
        await _wait(At.RECORD_ANSWERED)
        return outcome


class Attempt:
    """A buyer's request on its way, a step at a time."""

    def __init__(self, placing: Coroutine[Any, None, Order]) -> None:
        self._placing = placing
        self.at: At | None = None
        self.outcome: Order | BaseException | None = None
        self.go_on()

    def go_on(self) -> None:
        try:
            self.at = self._placing.send(None)
        except StopIteration as end:
            self.at, self.outcome = None, end.value
        except EcshopError as refusal:
            self.at, self.outcome = None, refusal

    def fail(self, failure: BaseException) -> None:
        try:
            self._placing.throw(failure)
        except (EcshopError, asyncio.CancelledError) as refusal:
            self.at, self.outcome = None, refusal
        else:
            raise AssertionError(f"it goes on after {failure!r}")

    def end(self) -> Order | BaseException | None:
        while self.at is not None:
            self.go_on()
        return self.outcome

    def crash(self) -> None:
        self._placing.close()


class SteppedRelay(Relay):
    """It looks at each step for what is not heard, and waits for nothing."""

    def step(self) -> None:
        at_once(self._step())

    def publish(self) -> None:
        at_once(self._drain())

    async def _woken(self) -> None:
        pass


class ProtocolShop:
    """All contexts but auth, and a listener more that counts what it is told of orders."""

    def __init__(self) -> None:
        self.moment = now()
        self.orders = OrderDatabase()
        self.databases: dict[str, InlineDatabase] = {
            "product": InlineDatabase(product_models.Base),
            "stock": InlineDatabase(stock_models.Base),
            "order": self.orders,
            COUNTING: InlineDatabase(tables.Base),
        }
        self.told = Counter[tuple[str, UUID]]()
        self.broker = ForgetfulBroker({source: [*names, COUNTING] for source, names in groups().items()})
        subscriptions: dict[str, Mapping[type[Event], Handler]] = {
            "product": product_module.SUBSCRIPTIONS,
            "stock": stock_module.SUBSCRIPTIONS,
            "order": order_module.SUBSCRIPTIONS,
            COUNTING: dict.fromkeys((OrderConfirmed, OrderCancelled), self._count),
        }
        for name, database in self.databases.items():
            self.broker.connect(Consumer(name, database, subscriptions[name], backoff=()))
        self.relays = {
            name: SteppedRelay(name, database, self.broker, look_every=-1.0)
            for name, database in self.databases.items()
        }
        self.products = ProductService(self.databases["product"])
        self.stock = StockService(
            self.databases["stock"],
            self.products,
            reservation_seconds=PATIENCE.total_seconds(),
            clock=lambda: self.moment,
        )
        self.wire = Wire(self.stock)
        self.order = self._order_service()

    def place(self, buyer: Actor, new: NewOrder, key: str | None) -> Attempt:
        return Attempt(self.order.place(buyer, new, key))

    def restart_order(self) -> None:
        """What its process had noted is forgotten."""
        self.order = self._order_service()

    @property
    def has_to_give_back(self) -> bool:
        return bool(self.order._holds._unused or self.order._holds._doubtful)

    def give_back(self) -> None:
        asyncio.run(self.order._holds._give_back())

    def record_late(self, placement: Placement) -> None:
        self.orders.late.remove(placement)
        with self.orders.transaction() as session:
            record(session, [placement])

    def time_runs_out(self) -> None:
        self.moment += timedelta(hours=1)
        at_once(self.stock.ask_about_expired())

    def replay(self) -> None:
        """An operator replays what a listener gave up through no fault of the event."""
        for database in self.databases.values():
            with database.transaction() as session:
                for letter in all_letters(session):
                    if letter.error.startswith(ListenerFailed.__name__):
                        replay(session, letter.event_id)

    def purge(self) -> None:
        """Forget all that was heard, as if that were long ago."""
        for database in self.databases.values():
            with database.transaction() as session:
                place: int | None = 0
                while place is not None:
                    place = purge(session, now() + timedelta(days=1), place, 100).place

    def pass_on(self) -> None:
        """Bring to its end, for now, what is on its way, as far as the broker has it."""
        for relay in self.relays.values():
            relay.step()
        at_once(self.broker.deliver(self.broker.waiting()))

    def _order_service(self) -> OrderService:
        return OrderService(self.orders, self.products, self.wire, quote_seconds=_IN_TIME)

    def _count(self, session: object, events: Sequence[OrderEvent]) -> list[str]:
        self.told.update((event.type, event.order_id) for event in events)
        return ["counted"] * len(events)

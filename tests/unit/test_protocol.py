"""The order protocol under sequences nobody thought of: events late, twice and out of order, crashes in between.

Hypothesis drives stock's and order's own functions on real databases, and delivers their events as a bus may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, create_engine, delete, select, update
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import StaticPool

from ecshop.events import tables
from ecshop.events.catalog import Event, OrderCancelled, OrderConfirmed, ReservationExpired
from ecshop.events.envelope import Envelope, from_bytes, opened
from ecshop.events.inbox import once
from ecshop.events.tables import Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor, Role
from ecshop.order import models as order_models
from ecshop.order import records
from ecshop.order.contract import Cancellation, Order, OrderLine
from ecshop.order.models import OrderRow
from ecshop.stock import items, reservations, settlement
from ecshop.stock import models as stock_models
from ecshop.stock.contract import Line, NewStock, Reservation
from ecshop.stock.models import ItemRow, MovementRow, ReservationRow
from tests.databases import Databases
from tests.unit.schema import versions

PRODUCTS, UNITS = (1, 2), 6
BUYER, STAFF = Actor(uuid4(), Role.CUSTOMER), Actor(uuid4(), Role.STAFF)
HANDLERS: dict[type[Event], tuple[str, Callable[[Session, Sequence[Any]], list[str]]]] = {
    OrderConfirmed: ("stock", settlement.commit),
    OrderCancelled: ("stock", settlement.release),
    ReservationExpired: ("order", records.give_up),
}
BASES: dict[str, type[DeclarativeBase]] = {"stock": stock_models.Base, "order": order_models.Base}
SETTINGS = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


class Protocol(RuleBasedStateMachine):
    def __init__(self, engines: Mapping[str, Engine]) -> None:
        super().__init__()
        self.engines = engines
        self.moment = now()
        self.tried: list[tuple[UUID, tuple[Line, ...]]] = []
        self.reserved: list[tuple[UUID, tuple[Line, ...]]] = []
        for context, base in BASES.items():
            with self.unit(context) as session:
                for table in reversed([*base.metadata.sorted_tables, *tables.Base.metadata.sorted_tables]):
                    session.execute(delete(table))
        with self.unit("stock") as session:
            for product in PRODUCTS:
                items.register(session, STAFF, NewStock(product, UNITS))

    def teardown(self) -> None:
        self.settle()

    @contextmanager
    def unit(self, context: str) -> Iterator[Session]:
        with Session(self.engines[context], expire_on_commit=False) as session, session.begin():
            yield session

    @rule(units=st.dictionaries(st.sampled_from(PRODUCTS), st.integers(1, 4), min_size=1))
    def a_buyer_reserves(self, units: dict[int, int]) -> None:
        lines = tuple(Line(product, quantity) for product, quantity in units.items())
        self._reserve(uuid4(), lines)

    @rule(data=st.data())
    def a_reservation_is_repeated(self, data: st.DataObject) -> None:
        if self.tried:
            self._reserve(*data.draw(st.sampled_from(self.tried)))

    @rule(data=st.data())
    def an_order_is_recorded(self, data: st.DataObject) -> None:
        """Or not: a reservation that is never drawn is a crash between the two steps."""
        if not self.reserved:
            return
        order_id, lines = data.draw(st.sampled_from(self.reserved))
        bought = tuple(OrderLine(line.product_id, "Tea", line.quantity, 10, 10 * line.quantity) for line in lines)
        total = sum(line.subtotal for line in bought)
        moment, ends = now(), (None, None, None, None)
        order = Order(order_id, "confirmed", BUYER.user_id, bought, total, "JPY", moment, moment, *ends)
        with self.unit("order") as session:
            records.record(session, [records.Placement(order, None)])

    @rule(data=st.data())
    def an_order_is_cancelled(self, data: st.DataObject) -> None:
        if self.reserved:
            order_id, _ = data.draw(st.sampled_from(self.reserved))
            cancellation = Cancellation(restock=data.draw(st.booleans()))
            with suppress(EcshopError), self.unit("order") as session:
                records.cancel(session, STAFF, order_id, cancellation)

    @rule(data=st.data())
    def events_are_delivered_late_twice_or_out_of_order(self, data: st.DataObject) -> None:
        told = self._told()
        if told:
            self._deliver(data.draw(st.lists(st.sampled_from(told), max_size=6)))

    @rule()
    def time_runs_out(self) -> None:
        self.moment += timedelta(hours=1)
        with self.unit("stock") as session:
            reservations.ask_about_expired(session, self.moment, longest=timedelta(hours=1))

    @invariant()
    def nothing_is_promised_or_sold_that_is_not_there(self) -> None:
        with self.unit("stock") as session:
            for item in session.scalars(select(ItemRow)):
                assert 0 <= item.reserved <= item.on_hand <= UNITS
                ledger = session.scalars(select(MovementRow.delta).where(MovementRow.product_id == item.product_id))
                assert item.on_hand == sum(ledger)

    def settle(self) -> None:
        """Deliver all there is to deliver until nothing is held any more, and compare the books."""
        for _ in range(4):
            self._deliver(self._told())
            self.time_runs_out()
        self._deliver(self._told())
        with self.unit("order") as session:
            orders = session.scalars(select(OrderRow)).all()
            confirmed = {order.id for order in orders if order.status == "confirmed"}
            lost = {order.id for order in orders if not order.restock}
            gone = Counter[int]()
            for order in orders:
                if order.id in confirmed | lost:
                    gone.update({line.product_id: line.quantity for line in order.lines})
        with self.unit("stock") as session:
            states = {row.order_id: row.state for row in session.scalars(select(ReservationRow))}
            assert "held" not in states.values()
            assert {order for order, state in states.items() if state == "committed"} == confirmed
            assert {order for order, state in states.items() if state == "written_off"} == lost
            for item in session.scalars(select(ItemRow)):
                assert (item.on_hand + gone[item.product_id], item.reserved) == (UNITS, 0)

    def _reserve(self, order_id: UUID, lines: tuple[Line, ...]) -> None:
        wanted = reservations.Wanted(order_id, lines, self.moment + timedelta(minutes=1))
        self.tried.append((order_id, lines))
        with self.unit("stock") as session:
            [outcome] = reservations.reserve(session, [wanted])
        if isinstance(outcome, Reservation):
            self.reserved.append((order_id, lines))

    def _told(self) -> list[Envelope]:
        told: list[Envelope] = []
        for context in self.engines:
            with self.unit(context) as session:
                told += [from_bytes(body) for body in session.scalars(select(Outbox.body).order_by(Outbox.seq))]
        return told

    def _deliver(self, envelopes: Sequence[Envelope]) -> None:
        for event, (context, handler) in HANDLERS.items():
            heard = [envelope for envelope in envelopes if envelope.type == event.type]
            with self.unit(context) as session:
                fresh = once(session, context, heard)
                handler(session, [opened(envelope) for envelope in fresh])
        ids = [envelope.id for envelope in envelopes]
        for context in self.engines:
            with self.unit(context) as session:
                session.execute(
                    update(Outbox).where(Outbox.event_id.in_(ids)).values(published_at=now(), heard_at=now())
                )


@pytest.fixture
def engines(dbms: str, databases: Databases) -> Iterator[Mapping[str, Engine]]:
    """SQLite's are in memory."""
    engines = {
        context: _in_memory(base) if dbms == "sqlite" else open_engine(databases.url(context, versions(context)))
        for context, base in BASES.items()
    }
    yield engines
    for engine in engines.values():
        engine.dispose()


def _in_memory(base: type[DeclarativeBase]) -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    for metadata in (base.metadata, tables.Base.metadata):
        metadata.create_all(engine)
    return engine


def test_no_sequence_of_events_oversells_or_loses_an_order(engines: Mapping[str, Engine]) -> None:
    class Here(Protocol):
        def __init__(self) -> None:
            super().__init__(engines)

    run_state_machine_as_test(Here, settings=SETTINGS)

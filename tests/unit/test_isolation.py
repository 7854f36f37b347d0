"""Two transactions at a time, as only PostgreSQL has them: one waits for the rows of the other and sees its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import cast
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.db.transaction import Run, Work, serve
from ecshop.kernel.deadline import FOREVER
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor, Role
from ecshop.stock import items, reservations
from ecshop.stock.contract import InsufficientStock, Line, NewStock, Reservation
from tests.databases import OnPostgres, PostgresServer
from tests.unit.notes import transaction
from tests.unit.schema import versions
from tests.waiting import eventually

PRODUCT, OTHER = 1, 2


@pytest.fixture
def stock(postgres: PostgresServer) -> Iterator[Engine]:
    """With five units of a product."""
    databases = OnPostgres(postgres)
    engine = open_engine(databases.url("stock", versions("stock")))
    with transaction(engine) as session:
        items.register(session, Actor(uuid4(), Role.STAFF), NewStock(PRODUCT, 5))
    yield engine
    engine.dispose()
    databases.close()


def _while_the_first_is_open(
    stock: Engine, first: reservations.Wanted, second: reservations.Wanted
) -> tuple[Reservation | EcshopError, Reservation | EcshopError]:
    def reserve_second() -> Reservation | EcshopError:
        return cast(Reservation | EcshopError, _served(stock, reservations.reserve, second))

    with ThreadPoolExecutor(1) as another:
        with transaction(stock) as session:
            [told] = reservations.reserve(session, [first])
            waiting = another.submit(reserve_second)
            eventually(lambda: _waiting_for_a_lock(stock), 1)
        return told, waiting.result(timeout=10)


def _served(stock: Engine, run: Run, item: object) -> object:
    """As a writer of the shop does it."""
    loop = asyncio.new_event_loop()
    work = Work(run, [item], True, loop.create_future(), FOREVER)
    loop.close()
    with Session(stock) as session:
        [outcome] = serve(session, [work]).outcomes
    return outcome


def _waiting_for_a_lock(stock: Engine) -> int:
    """Connections to this database that do."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with stock.connect() as connection:
        return connection.scalar(text(query)) or 0


def _wanted(units: int) -> reservations.Wanted:
    return reservations.Wanted(uuid4(), (Line(PRODUCT, units),), now() + timedelta(minutes=1))


def test_a_repeat_that_waited_for_the_first_one_is_told_the_same(stock: Engine) -> None:
    order = _wanted(5)
    first, repeat = _while_the_first_is_open(stock, order, order)
    assert first == repeat == Reservation(order.order_id, order.lines)


def test_an_order_that_waited_for_another_ones_units_is_told_what_is_left(stock: Engine) -> None:
    _, other = _while_the_first_is_open(stock, _wanted(3), _wanted(3))
    assert isinstance(other, InsufficientStock)
    assert other.fields["lines"] == [{"product_id": PRODUCT, "quantity": 3, "available": 2}]


def test_two_that_wait_for_each_other_are_both_served(stock: Engine) -> None:
    with transaction(stock) as session:
        items.register(session, Actor(uuid4(), Role.STAFF), NewStock(OTHER, 5))
    both_hold_one = Barrier(2)
    attempts: list[Sequence[int]] = []

    def take(session: Session, orders: Sequence[Sequence[int]]) -> list[None]:
        """In the order that was asked for, which nothing of the shop does."""
        [products] = orders
        attempts.append(products)
        for product in products:
            session.execute(text("UPDATE item SET on_hand = on_hand - 1 WHERE product_id = :id"), {"id": product})
            if len(attempts) <= 2 and product == products[0]:
                both_hold_one.wait(timeout=10)
        return [None]

    with ThreadPoolExecutor(2) as two:
        outcomes = list(two.map(lambda products: _served(stock, take, products), [(PRODUCT, OTHER), (OTHER, PRODUCT)]))
    assert outcomes == [None, None]
    assert len(attempts) >= 3
    with transaction(stock) as session:
        assert session.scalars(text("SELECT on_hand FROM item ORDER BY product_id")).all() == [3, 3]

"""Two transactions at a time, as only PostgreSQL has them: one waits for the rows of the other and sees its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import cast
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.db.transaction import Work, serve
from ecshop.kernel.deadline import FOREVER
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor, Role
from ecshop.stock import items, reservations
from ecshop.stock.contract import InsufficientStock, Line, NewStock, Reservation
from tests.databases import OnPostgres, PostgresServer
from tests.unit.notes import transaction
from tests.unit.schema import versions
from tests.waiting import eventually

PRODUCT = 1


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
        loop = asyncio.new_event_loop()
        work = Work(reservations.reserve, [second], True, loop.create_future(), FOREVER)
        loop.close()
        with Session(stock) as session:
            [outcome] = serve(session, [work]).outcomes
        return cast(Reservation | EcshopError, outcome)

    with ThreadPoolExecutor(1) as another:
        with transaction(stock) as session:
            [told] = reservations.reserve(session, [first])
            waiting = another.submit(reserve_second)
            eventually(lambda: _waiting_for_a_lock(stock), 1)
        return told, waiting.result(timeout=10)


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

"""Lists that a filter narrows: each is answered by an index, and the same whether much is found or little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from ecshop.kernel.clock import now
from ecshop.kernel.db import keyset
from ecshop.kernel.db.engine import writing
from ecshop.kernel.identity import Actor, Role
from ecshop.order import records
from ecshop.order.contract import Order, OrderFilter, OrderLine
from ecshop.product import catalogue
from ecshop.product.contract import ProductFilter
from tests.unit.schema import MigratedEngine

STAFF, BUYER, MOMENT = Actor(uuid4(), Role.STAFF), Actor(uuid4(), Role.CUSTOMER), now()
LATER = OrderFilter(updated_after=MOMENT)

Ask = Callable[[Session], Any]


def orders(wanted: OrderFilter, actor: Actor = STAFF) -> Ask:
    return lambda session: records.list_orders(session, actor, wanted, None, 100).items


LISTS: dict[str, tuple[str, Ask]] = {
    "orders_ended": ("order", orders(LATER)),
    "order_of_product": ("order", orders(OrderFilter(product_id=1))),
    "order_of_product USING PRIMARY KEY": ("order", orders(OrderFilter(product_id=1, status="cancelled"))),
    "orders_of_user": ("order", orders(OrderFilter(user_id=BUYER.user_id))),
    "orders_by_status": ("order", orders(OrderFilter())),
    "ix_product_updated_at": (
        "product",
        lambda session: catalogue.list_products(session, ProductFilter(updated_after=MOMENT), None, 100),
    ),
}


@pytest.mark.parametrize("index", LISTS)
def test_a_filter_is_answered_by_its_index(index: str, migrated: MigratedEngine) -> None:
    context, ask = LISTS[index]
    engine = migrated(context)
    with Session(engine) as session, overheard(engine) as asked:
        ask(session)
    statement, parameters = next(one for one in reversed(asked) if "ORDER BY" in one[0])
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        steps = [step for *_, step in plan]
    assert any(step.startswith("SEARCH") and f" {index} " in step for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps), steps


@pytest.mark.parametrize("few", [0, 1, 10_000])
def test_much_is_found_as_little_is(few: int, migrated: MigratedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset, "_FEW", few)
    with Session(writing(migrated("order"))) as session:
        one, two, three = (placed(session, MOMENT + timedelta(hours=hour), hour) for hour in (-1, 1, 2))
        session.commit()
        assert ids(session, LATER) == [three, two]
        assert ids(session, OrderFilter(product_id=99)) == [three, two, one]
        assert ids(session, OrderFilter(product_id=2)) == [three]
        assert ids(session, OrderFilter(product_id=99, updated_after=MOMENT)) == [three, two]
        assert ids(session, OrderFilter(product_id=-1, updated_after=MOMENT)) == []


def placed(session: Session, moment: Any, product: int) -> Any:
    """An order of that product and of number 99."""
    lines = tuple(OrderLine(id_, "Tea", 1, 10, 10) for id_ in (product, 99))
    order = Order(uuid4(), "confirmed", BUYER.user_id, lines, 20, "JPY", moment, moment, None, None, None, None)
    records.record(session, [records.Placement(order, None)])
    return order.id


def ids(session: Session, wanted: OrderFilter) -> list[Any]:
    return [order.id for order in orders(wanted)(session)]


@contextmanager
def overheard(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are executed meanwhile, with their parameters."""
    heard: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        heard.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    yield heard
    event.remove(engine, "before_cursor_execute", listen)

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
from ecshop.product import catalogue, categories
from ecshop.product.contract import CategoryBody, NewProduct, ProductFilter
from tests.unit.schema import MigratedEngine

STAFF, BUYER, MOMENT = Actor(uuid4(), Role.STAFF), Actor(uuid4(), Role.CUSTOMER), now()
LATER = OrderFilter(updated_after=MOMENT)

Ask = Callable[[Session], Any]


def products(**wanted: Any) -> Ask:
    return lambda session: catalogue.list_products(session, ProductFilter(**wanted), None, 100).items


def orders(wanted: OrderFilter, actor: Actor = STAFF) -> Ask:
    return lambda session: records.list_orders(session, actor, wanted, None, 100).items


LISTS: dict[str, tuple[str, Ask]] = {
    "orders_ended": ("order", orders(LATER)),
    "order_of_product": ("order", orders(OrderFilter(product_id=1))),
    "order_of_product USING PRIMARY KEY": ("order", orders(OrderFilter(product_id=1, status="cancelled"))),
    "orders_of_user": ("order", orders(OrderFilter(user_id=BUYER.user_id))),
    "orders_by_status": ("order", orders(OrderFilter())),
    "ix_product_updated_at": ("product", products(updated_after=MOMENT)),
    "ix_product_name_key": ("product", products(name="Tea")),
    "ix_product_category_id": ("product", products(category_id=(1,))),
    "products_of_category_by_name": ("product", products(category_id=(1,), sort="-name")),
    "products_of_category_by_price": ("product", products(category_id=(1,), in_stock=True, sort="price")),
    "ix_product_in_stock": ("product", products(in_stock=True)),
    "ix_product_on_sale": ("product", products(on_sale=False)),
    "products_in_stock_by_name": ("product", products(in_stock=False, sort="name")),
    "products_in_stock_by_price": ("product", products(in_stock=True, sort="-price")),
}
ORDERS = {"name": "ix_product_name_key", "-name": "ix_product_name_key", "-price": "ix_product_price"}
"""By sort, the index that a list without filters is read by."""
SEARCHES: dict[str, Ask] = {
    "q": products(q="tea"),
    "q of one character": products(q="\u8336", sort="name"),
    "q with filters": products(q="tea", category_id=(1,), in_stock=True, sort="-price"),
    "q and what was changed": products(q="te", updated_after=MOMENT, sort="id"),
}


@pytest.mark.parametrize("index", LISTS)
def test_a_filter_is_answered_by_its_index(index: str, migrated: MigratedEngine) -> None:
    context, ask = LISTS[index]
    steps = plan(migrated(context), ask)
    assert any(step.startswith("SEARCH") and f" {index} " in step for step in steps), steps
    assert not any(step.startswith("SCAN ") and not step.startswith("SCAN anon") for step in steps), steps


@pytest.mark.parametrize("sort", ORDERS)
def test_a_list_is_read_in_the_order_of_an_index(sort: Any, migrated: MigratedEngine) -> None:
    assert plan(migrated("product"), products(sort=sort)) == [f"SCAN product USING INDEX {ORDERS[sort]}"]


@pytest.mark.parametrize("some", [0, 4_000])
@pytest.mark.parametrize("name", SEARCHES)
def test_what_is_looked_for_is_found_by_the_index_of_parts(
    name: str, some: int, migrated: MigratedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are of it, no rows are read but those of a page."""
    engine = migrated("product")
    with Session(writing(engine)) as session:
        category = categories.create(session, STAFF, CategoryBody("Tea")).id
        for number in range(5):
            catalogue.create(session, STAFF, NewProduct(f"\u8336 Tea {number}", 1, category_id=category))
        session.commit()
    monkeypatch.setattr(keyset, "_SOME", some)
    monkeypatch.setattr(keyset, "_NEAR", 0)
    steps = plan(engine, SEARCHES[name])
    assert any(step.startswith("SCAN product_search VIRTUAL TABLE INDEX") for step in steps), steps
    assert not [step for step in steps if step.startswith("SCAN product ") and "COVERING INDEX" not in step], steps


@pytest.mark.parametrize("ask", [products(status=False, sort="name"), products(price_to=2, on_sale=True, sort="-name")])
def test_of_much_that_is_found_an_index_has_all_that_a_list_needs(
    ask: Ask, migrated: MigratedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = migrated("product")
    with Session(writing(engine)) as session:
        for number in range(5):
            catalogue.create(session, STAFF, NewProduct("Tea", number, status=False))
        session.commit()
    monkeypatch.setattr(keyset, "_SOME", 0)
    monkeypatch.setattr(keyset, "_NEAR", 0)
    assert "SCAN product USING COVERING INDEX products_listed" in plan(engine, ask)


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


def plan(engine: Engine, ask: Ask) -> list[str]:
    """How SQLite finds what is asked for in its order."""
    with Session(engine) as session, overheard(engine) as asked:
        ask(session)
    with engine.connect() as connection:
        return [
            step
            for statement, parameters in asked
            if "ORDER BY" in statement
            for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]


@contextmanager
def overheard(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are executed meanwhile, with their parameters."""
    heard: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        heard.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", listen)
    yield heard
    event.remove(engine, "before_cursor_execute", listen)

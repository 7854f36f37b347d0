"""Lists of orders with filters: what they have, newest first, however it is found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ecshop.kernel.db import keyset
from ecshop.kernel.db.engine import open_engine, writing
from ecshop.order import records
from ecshop.order.contract import DEFAULT_CANCELLATION, Order, OrderFilter, OrderLine
from ecshop.order.module import MIGRATIONS
from tests.actors import STAFF
from tests.databases import Databases
from tests.unit.steps import with_steps

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS: Final = [BEGIN + timedelta(milliseconds=200) * number for number in range(8)]
"""Five of a second, three of the next."""
EARLY, LATE = BEGIN - timedelta(seconds=1), BEGIN + timedelta(days=1)
USERS: Final = [uuid4(), uuid4()]
repeatably = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, max_examples=60)


class Made(NamedTuple):
    products: frozenset[int]
    placed_at: datetime
    user: UUID
    is_cancelled: bool


made = st.builds(
    Made,
    st.frozensets(st.integers(1, 3), min_size=1),
    st.sampled_from(MOMENTS),
    st.sampled_from(USERS),
    st.booleans(),
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "product_id": st.integers(1, 3),
        "status": st.sampled_from(["confirmed", "cancelled"]),
        "user_id": st.sampled_from(USERS),
        "placed_after": st.sampled_from(MOMENTS),
        "placed_before": st.sampled_from(MOMENTS),
        "updated_after": st.sampled_from(MOMENTS),
    },
)


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    engine = open_engine(databases.url("order", MIGRATIONS))
    yield writing(engine)
    engine.dispose()


@pytest.mark.parametrize("few", [0, 10_000])
@repeatably
@given(st.lists(made, max_size=10), st.lists(filters, min_size=1, max_size=8), st.integers(1, 4))
def test_orders_are_listed_newest_first(
    few: int, engine: Engine, made: list[Made], filters: list[dict[str, Any]], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, Session(engine) as session:
        patch.setattr(keyset, "_FEW", few)
        orders = [place(session, one) for one in made]
        for narrow in filters:
            wanted = OrderFilter(**narrow)
            assert listed(session, wanted, limit) == told(orders, wanted)


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "narrow",
    [
        {"placed_before": LATE},
        {"placed_after": EARLY},
        {"placed_before": LATE, "placed_after": EARLY},
        {"product_id": 1, "placed_before": LATE},
    ],
)
@pytest.mark.parametrize("after", [0, 150, 450])
def test_a_page_is_read_from_its_cursor_on_however_its_times_are_bounded(
    after: int, narrow: dict[str, Any], engine: Engine
) -> None:
    """SQLite goes through an index from one of two bounds: by the farther one it would meet all that is between."""
    with Session(engine) as session:
        moments = [BEGIN + timedelta(minutes=number) for number in range(600)]
        made = [place(session, Made(frozenset({1}), at, USERS[0], at < moments[300])) for at in moments]
        asked = OrderFilter(product_id=narrow.get("product_id"))
        cursor = records.list_orders(session, STAFF, asked, None, after).next_cursor if after else None
        wanted = OrderFilter(**narrow)
        found, steps = paged(session, wanted, cursor)
        assert found == told(made[: 600 - after], wanted)[:20]
        assert steps <= 1.5 * paged(session, asked, cursor)[1]


def paged(session: Session, wanted: OrderFilter, cursor: str | None) -> tuple[list[UUID], int]:
    page, steps = with_steps(session, lambda: records.list_orders(session, STAFF, wanted, cursor, 20))
    return [order.id for order in page.items], steps


def place(session: Session, one: Made) -> Order:
    lines = tuple(OrderLine(product, "Tea", 1, 10, 10) for product in sorted(one.products))
    order = Order(
        uuid4(), "confirmed", one.user, lines, 30, "JPY", one.placed_at, one.placed_at, None, None, None, None
    )
    records.record(session, [records.Placement(order, None)])
    if one.is_cancelled:
        records.cancel(session, STAFF, order.id, DEFAULT_CANCELLATION)
    session.expire_all()
    return records.get(session, STAFF, order.id)


def listed(session: Session, wanted: OrderFilter, limit: int) -> list[UUID]:
    page = records.list_orders(session, STAFF, wanted, None, limit)
    ids = [order.id for order in page.items]
    while page.next_cursor is not None:
        page = records.list_orders(session, STAFF, wanted, page.next_cursor, limit)
        ids += [order.id for order in page.items]
    return ids


def told(orders: list[Order], wanted: OrderFilter) -> list[UUID]:
    """The rule, without a database."""
    left = [
        one
        for one in orders
        if (wanted.product_id is None or any(line.product_id == wanted.product_id for line in one.lines))
        and wanted.status in {None, one.status}
        and wanted.user_id in {None, one.user_id}
        and (wanted.placed_after is None or one.placed_at > wanted.placed_after)
        and (wanted.placed_before is None or one.placed_at < wanted.placed_before)
        and (wanted.updated_after is None or one.updated_at > wanted.updated_after)
    ]
    return [one.id for one in sorted(left, key=lambda one: (one.placed_at, one.id), reverse=True)]

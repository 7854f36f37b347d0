"""How much one customer may order in an hour: whoever asks for more is told when, and others are not concerned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.databases import Databases, for_a_shop
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop, shop_together

ORDERS, UNITS, LINE = 3, 20, 8
QUOTAS = {
    "ECSHOP_HOURLY_ORDERS": str(ORDERS),
    "ECSHOP_HOURLY_UNITS": str(UNITS),
    "ECSHOP_LINE_UNITS": str(LINE),
}


@pytest.fixture
def environment(databases: Databases) -> dict[str, str]:
    if not databases.setting:
        return QUOTAS
    return QUOTAS | {"ECSHOP_DATABASE_URL": for_a_shop(databases, migrated=True)}


@pytest.fixture
def counting(tmp_path: Path, environment: dict[str, str]) -> Iterator[RunningShop]:
    with shop_together(tmp_path / "quotas", **environment) as running:
        yield running


def test_a_customer_places_so_many_orders_an_hour_and_is_told_when_the_next_one(counting: RunningShop) -> None:
    product = counting.new_product(stock=100)
    assert [counting.order(product, 1).status_code for _ in range(ORDERS)] == [201] * ORDERS
    refused = counting.order(product, 1)
    assert_refused(refused, 429, "order.quota_exceeded")
    assert 3500 < int(refused.headers["retry-after"]) == refused.json()["retry_after"] <= 3600
    assert counting.order(product, 1, counting.new_customer()).status_code == 201
    assert counting.order(product, 1, counting.staff).status_code == 201


def test_so_many_units_and_no_more(counting: RunningShop) -> None:
    product = counting.new_product(stock=100)
    assert [counting.order(product, LINE).status_code for _ in range(2)] == [201, 201]
    assert_refused(counting.order(product, UNITS - 2 * LINE + 1), 429, "order.quota_exceeded")
    assert counting.order(product, UNITS - 2 * LINE).status_code == 201


def test_of_a_product_an_order_has_so_many(counting: RunningShop) -> None:
    product = counting.new_product(stock=100)
    refused = counting.order(product, LINE + 1)
    assert_refused(refused, 409, "order.too_many_units")
    assert (refused.json()["limit"], refused.json()["product_id"]) == (LINE, product)
    assert counting.order(product, LINE).status_code == 201
    assert counting.order(product, LINE + 1, counting.staff).status_code == 201


def test_what_came_to_nothing_is_not_counted_and_a_repeat_is_none(counting: RunningShop) -> None:
    few, product = counting.new_product(stock=1), counting.new_product(stock=100)
    for _ in range(2 * ORDERS):
        assert_refused(counting.order(few, 2), 409, "stock.insufficient")
    key = {"Idempotency-Key": "k-1"}
    first = counting.order(product, 1, **key)
    assert [counting.order(product, 1).status_code for _ in range(ORDERS - 1)] == [201] * (ORDERS - 1)
    assert_refused(counting.order(product, 1), 429, "order.quota_exceeded")
    assert (counting.order(product, 1, **key).status_code, counting.order(product, 1, **key).json()) == (
        201,
        first.json(),
    )


def test_many_at_once_are_counted_one_by_one(counting: RunningShop) -> None:
    product = counting.new_product(stock=100)
    with ThreadPoolExecutor(16) as crowd:
        answers = Counter(crowd.map(lambda _: counting.order(product, 1).status_code, range(32)))
    assert answers == {201: ORDERS, 429: 32 - ORDERS}
    assert counting.units(product)[0] >= 100 - ORDERS


def test_a_restart_forgets_no_order(tmp_path: Path, environment: dict[str, str]) -> None:
    with shop_together(tmp_path / "quotas", **environment) as shop:
        product, customer = shop.new_product(stock=100), shop.customer
        for _ in range(ORDERS):
            shop.order(product, 1).raise_for_status()
    with shop_together(tmp_path / "quotas", **environment) as shop:
        assert_refused(shop.order(product, 1, customer), 429, "order.quota_exceeded")

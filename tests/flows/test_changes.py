"""What was changed since a moment: orders, products and stock say when, and their lists find it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from tests.flows.bad_input import one_shape_is_enough
from tests.flows.lists import found, orders, walk
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop
from tests.waiting import eventually

LONG_AGO: Final = "2001-02-03T04:05:06Z"
IN_LONG: Final = "2999-12-31T23:59:59Z"


def test_an_order_is_updated_when_it_is_placed_and_when_it_ends(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    for end, moment in (("cancel", "cancelled_at"), ("fulfil", "fulfilled_at")):
        order = shop.order(product, 1).json()
        assert order["updated_at"] == order["placed_at"]
        ended = shop.call("POST", f"/orders/{order['id']}/{end}", shop.staff).json()
        assert order["updated_at"] < ended["updated_at"] == ended[moment]
        again = shop.call("POST", f"/orders/{order['id']}/{end}", shop.staff).json()
        assert again["updated_at"] == ended["updated_at"]


def test_orders_that_were_updated_later_are_listed_newest_first(shop: RunningShop) -> None:
    product, buyer = shop.new_product(stock=9), shop.new_customer()
    first, second, third = (shop.order(product, 1, buyer).json() for _ in range(3))
    assert orders(shop, buyer, updated_after=LONG_AGO) == [third["id"], second["id"], first["id"]]
    assert orders(shop, buyer, updated_after=second["updated_at"]) == [third["id"]]
    assert orders(shop, buyer, updated_after=third["updated_at"]) == []
    shop.call("POST", f"/orders/{first['id']}/cancel", buyer).raise_for_status()
    for limit in (1, 100):
        assert orders(shop, buyer, limit, updated_after=second["updated_at"]) == [third["id"], first["id"]]
    assert orders(shop, buyer, updated_after=third["updated_at"], status="confirmed") == []


def test_a_product_is_updated_by_the_seller_and_by_the_news_of_its_stock(shop: RunningShop) -> None:
    product = shop.new_product()
    seen = [shop.product(product)["updated_at"]]
    changes: list[Callable[[], httpx.Response]] = [
        lambda: shop.call("PUT", f"/products/{product}", shop.staff, json={"price": 1500}),
        lambda: shop.call("POST", "/stock", shop.staff, json={"product_id": product, "stock": 1}),
        lambda: shop.order(product, 1),
    ]
    for change in changes:
        assert found(shop, updated_after=seen[-1], name=shop.product(product)["name"]) == []
        change().raise_for_status()
        eventually(lambda: shop.product(product)["updated_at"] > seen[-1], True)
        assert found(shop, updated_after=seen[-1], name=shop.product(product)["name"]) == [product]
        seen.append(shop.product(product)["updated_at"])
    assert shop.product(product)["in_stock"] is False


def test_a_change_of_a_product_answers_when_it_was_made(shop: RunningShop) -> None:
    product = shop.new_product()
    changed = shop.call("PUT", f"/products/{product}", shop.staff, json={"price": 1500}).json()
    assert changed == shop.product(product)
    unchanged = shop.call("PUT", f"/products/{product}", shop.staff, json={"price": 1500}).json()
    assert unchanged == changed


@pytest.mark.parametrize("sort", ["id", "-id", "price", "-price", "name"])
def test_products_that_were_updated_later_are_listed_in_every_order(shop: RunningShop, sort: str) -> None:
    tag = uuid4().hex
    before = shop.new_product(name=f"{tag} 0")
    later = [shop.new_product(name=f"{tag} {number}", price=number) for number in range(1, 6)]
    moment = shop.product(before)["updated_at"]
    expected = later[::-1] if sort.startswith("-") else later
    assert found(shop, 2, q=tag, sort=sort, updated_after=moment) == expected


def test_stock_is_updated_by_whatever_changes_its_units(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    seen = [shop.stock(product)["updated_at"]]
    adjusted = shop.call(
        "POST", f"/stock/{product}/adjustments", shop.staff, json={"delta": 1, "reason": "delivery"}
    ).json()
    assert seen[-1] < adjusted["updated_at"] == shop.stock(product)["updated_at"]
    seen.append(adjusted["updated_at"])
    order = shop.order(product, 2).json()
    eventually(lambda: shop.units(product), (4, 0))
    seen.append(shop.stock(product)["updated_at"])
    shop.call("POST", f"/orders/{order['id']}/cancel", shop.customer).raise_for_status()
    eventually(lambda: shop.units(product), (6, 0))
    seen.append(shop.stock(product)["updated_at"])
    assert seen == sorted(set(seen))
    movements = shop.call("GET", f"/stock/{product}/movements", shop.staff).json()["items"]
    assert movements[0]["at"] == seen[-1]


def test_stock_that_was_updated_later_is_listed_in_the_order_of_products(shop: RunningShop) -> None:
    first, second, third = (shop.new_product(stock=5) for _ in range(3))
    moment = shop.stock(third)["updated_at"]
    assert not {first, second, third} & set(stock(shop, updated_after=moment))
    for product in (second, first):
        shop.call("PUT", f"/stock/{product}", shop.staff, json={"stock": 9}).raise_for_status()
    for limit in (1, 100):
        listed = [product for product in stock(shop, limit, updated_after=moment) if product in (first, second, third)]
        assert listed == [first, second]
    shop.call("DELETE", f"/stock/{first}", shop.staff).raise_for_status()
    assert first not in stock(shop, updated_after=moment)


def test_a_time_is_one_moment_wherever_it_is_written(shop: RunningShop) -> None:
    buyer = shop.new_customer()
    order = shop.order(shop.new_product(stock=5), 1, buyer).json()
    for before in ("2026-01-31T12:00:00+09:00", "2026-01-31t03:00:00z", "2026-01-31T03:00:00.123456789-00:00"):
        assert orders(shop, buyer, updated_after=before) == [order["id"]]
    assert orders(shop, buyer, updated_after=IN_LONG) == []


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-01-31",
        "2026-13-31T12:00:00Z",
        "2026-01-31T12:00:00+0900",
        "2026-01-31T12:00:00 09:00",
        "1769860800",
        "1769860800.5",
        "-1",
        "now",
        "null",
        "",
        "2026-01-31T12:00:00Z\0",
    ],
)
@one_shape_is_enough
def test_a_time_without_its_distance_from_utc_is_none(shop: RunningShop, text: str) -> None:
    for path in ("/orders", "/products", "/stock"):
        names = ("updated_after", "placed_after", "placed_before") if path == "/orders" else ("updated_after",)
        for name in names:
            refused = shop.call("GET", path, shop.staff, params={name: text})
            assert_refused(refused, 400, "request.invalid")
            assert [one["field"] for one in refused.json()["errors"]] == [name]


def stock(shop: RunningShop, limit: int = 100, **options: Any) -> list[int]:
    return [item["product_id"] for item in walk(shop, "/stock", limit, **options)]

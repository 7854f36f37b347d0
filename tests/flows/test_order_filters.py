"""What a filter finds among the orders."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.flows.lists import NOBODYS, orders
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop


def test_orders_are_found_by_a_product_in_any_of_their_lines(shop: RunningShop) -> None:
    tea, pot, cup = (shop.new_product(stock=9) for _ in range(3))
    buyer, other = shop.new_customer(), shop.new_customer()
    both = place(shop, buyer, tea, pot)
    only_pot = place(shop, buyer, pot)
    foreign = place(shop, other, pot)
    assert orders(shop, buyer, product_id=tea) == [both]
    assert orders(shop, buyer, 1, product_id=pot) == [only_pot, both]
    assert orders(shop, shop.staff, 1, product_id=pot) == [foreign, only_pot, both]
    assert orders(shop, shop.staff, product_id=cup) == []
    assert orders(shop, shop.staff, product_id=NOBODYS) == []


def test_staff_finds_the_orders_of_a_customer_and_a_customer_finds_none_of_anothers(shop: RunningShop) -> None:
    product = shop.new_product(stock=9)
    buyer, other = shop.new_customer(), shop.new_customer()
    own = [place(shop, buyer, product) for _ in range(2)][::-1]
    place(shop, other, product)
    asked: dict[str, Any] = {"user_id": shop.user_id(buyer)}
    assert orders(shop, shop.staff, 1, **asked) == orders(shop, buyer, **asked) == own
    assert orders(shop, other, **asked) == []
    assert orders(shop, shop.staff, user_id=str(uuid4())) == []


def test_orders_are_found_between_two_times(shop: RunningShop) -> None:
    product, buyer = shop.new_product(stock=9), shop.new_customer()
    ids = [place(shop, buyer, product) for _ in range(4)]
    times = [shop.call("GET", f"/orders/{one}", buyer).json()["placed_at"] for one in ids]
    assert orders(shop, buyer, placed_after=times[1]) == [ids[3], ids[2]]
    assert orders(shop, buyer, placed_before=times[1]) == [ids[0]]
    between: dict[str, Any] = {"placed_after": times[0], "placed_before": times[3]}
    for limit in (1, 100):
        assert orders(shop, buyer, limit, **between) == [ids[2], ids[1]]
        assert orders(shop, shop.staff, limit, product_id=product, **between) == [ids[2], ids[1]]
    assert orders(shop, buyer, placed_after=times[3], placed_before=times[0]) == []


def test_filters_narrow_each_other(shop: RunningShop) -> None:
    tea, pot, buyer = shop.new_product(stock=9), shop.new_product(stock=9), shop.new_customer()
    first, second = place(shop, buyer, tea), place(shop, buyer, tea, pot)
    shop.call("POST", f"/orders/{first}/cancel", buyer).raise_for_status()
    last = place(shop, shop.new_customer(), tea)
    whole: dict[str, Any] = {"product_id": tea, "placed_after": "2001-02-03T04:05:06Z"}
    assert orders(shop, shop.staff, **whole) == [last, second, first]
    assert orders(shop, shop.staff, **whole, user_id=shop.user_id(buyer)) == [second, first]
    assert orders(shop, shop.staff, **whole, user_id=shop.user_id(buyer), status="cancelled") == [first]
    updated = shop.call("GET", f"/orders/{second}", buyer).json()["updated_at"]
    assert orders(shop, shop.staff, **whole, updated_after=updated, status="cancelled") == [first]


@pytest.mark.parametrize(
    "query",
    ["product_id=0", "product_id=x", f"product_id={2**63}", "user_id=1", "user_id=", "user_id=aoi", "user=aoi"],
)
def test_a_filter_that_is_none_is_refused(shop: RunningShop, query: str) -> None:
    assert_refused(shop.call("GET", f"/orders?{query}", shop.staff), 400, "request.invalid")


def place(shop: RunningShop, token: str, *products: int) -> str:
    lines = [{"product_id": product, "quantity": 1} for product in products]
    order: str = shop.call("POST", "/orders", token, json={"lines": lines}).raise_for_status().json()["id"]
    return order

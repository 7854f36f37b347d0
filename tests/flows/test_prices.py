"""What an order comes to: what the buyer was shown, or nothing is held."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.flows.refusals import assert_refused
from tests.shops import RunningShop


def test_an_order_that_comes_to_what_was_shown_is_placed(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    placed = _order(shop, product, 2, expected_total=2400, currency="JPY")
    assert (placed.status_code, placed.json()["total"]) == (201, 2400)


@pytest.mark.parametrize("shown", [{"expected_total": 2000}, {"currency": "USD"}, {"expected_total": 0}])
def test_an_order_that_comes_to_something_else_is_refused_and_holds_nothing(
    shop: RunningShop, shown: dict[str, Any]
) -> None:
    product = shop.new_product(stock=5)
    refused = _order(shop, product, 2, **shown)
    assert (refused.status_code, refused.json()["code"]) == (409, "order.price_changed")
    assert (refused.json()["total"], refused.json()["currency"]) == (2400, "JPY")
    assert shop.units(product) == (5, 0)


def test_another_expectation_under_the_same_key_is_another_order(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    for expected, status in ((2400, 201), (2400, 201), (2000, 422)):
        assert _order(shop, product, 2, key="one", expected_total=expected).status_code == status


@pytest.mark.parametrize(("price", "fits"), [((2**53 - 1) // 10_000, True), (10**12, False)])
def test_a_total_is_a_number_that_every_client_can_hold(shop: RunningShop, price: int, fits: bool) -> None:
    product = shop.new_product(stock=10_000, price=price)
    answer = _order(shop, product, 10_000)
    assert answer.status_code == (201 if fits else 409)
    if not fits:
        assert answer.json()["code"] == "order.total_too_large"
        assert shop.units(product) == (10_000, 0)


def test_a_change_of_currency_needs_its_price(shop: RunningShop) -> None:
    product = shop.new_product(price=1500)
    alone = shop.call("PUT", f"/products/{product}", shop.staff, json={"currency": "USD"})
    assert (alone.status_code, alone.json()["errors"][0]["field"]) == (400, "price")
    assert shop.product(product)["currency"] == "JPY"
    for whole in ({"currency": "JPY"}, {"currency": "USD", "price": 10}):
        shop.call("PUT", f"/products/{product}", shop.staff, json=whole).raise_for_status()
    assert (shop.product(product)["price"], shop.product(product)["currency"]) == (10, "USD")


@pytest.mark.parametrize("code", ["ZZZ", "DEM", "XTS", "XXX", "XAU"])
def test_what_nobody_pays_with_is_no_currency(shop: RunningShop, code: str) -> None:
    product = shop.new_product(stock=5)
    for answer in (
        shop.call("POST", "/products", shop.staff, json={"name": "Tea", "price": 1, "currency": code}),
        shop.call("PUT", f"/products/{product}", shop.staff, json={"price": 1, "currency": code}),
        _order(shop, product, 1, currency=code),
    ):
        assert_refused(answer, 400, "request.invalid")
        assert answer.json()["errors"] == [
            {
                "field": "currency",
                "message": "must be text of at most 3 characters, the ISO 4217 code of a currency in use, like JPY",
            }
        ]
    assert (shop.product(product)["price"], shop.units(product)) == (1200, (5, 0))


def test_a_product_that_stock_has_said_nothing_of_is_neither_in_stock_nor_out(shop: RunningShop) -> None:
    category = shop.new_category()
    product = shop.new_product(category_id=category)
    assert (shop.product(product)["in_stock"], shop.product(product)["status"]) == (None, True)
    for wanted in ("true", "false"):
        listed = shop.call("GET", f"/products?category_id={category}&in_stock={wanted}").json()["items"]
        assert listed == []
    assert shop.order(product, 1).json()["code"] == "stock.insufficient"


def _order(shop: RunningShop, product: int, quantity: int, *, key: str = "", **shown: Any) -> httpx.Response:
    body = {"lines": [{"product_id": product, "quantity": quantity}], **shown}
    headers = {"idempotency-key": key} if key else {}
    return shop.call("POST", "/orders", shop.customer, json=body, headers=headers)

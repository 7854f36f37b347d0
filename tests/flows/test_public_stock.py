"""Where exact numbers are for staff, others see whether a product can be bought, and whether soon it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.flows.lists import walk
from tests.flows.refusals import assert_unauthenticated
from tests.flows.test_api_keys import employee, made_by
from tests.shops import RunningShop, shop_together

NUMBERS = {"stock", "reserved", "available", "version", "updated_at", "low_mark"}


@pytest.fixture(scope="module")
def discreet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with shop_together(tmp_path_factory.mktemp("discreet"), ECSHOP_PUBLIC_STOCK="false") as running:
        yield running


def seen(shop: RunningShop, product: int, token: str = "") -> dict[str, Any]:
    """Of itself, and as the list has it."""
    alone: dict[str, Any] = shop.call("GET", f"/stock/{product}", token).json()
    [listed] = [item for item in walk(shop, "/stock", 100, token) if item["product_id"] == product]
    assert alone == listed
    return alone


@pytest.mark.parametrize(("units", "in_stock", "low_stock"), [(0, False, True), (5, True, True), (6, True, False)])
def test_a_shopper_sees_whether_there_is_any_and_whether_there_are_few(
    discreet: RunningShop, units: int, *, in_stock: bool, low_stock: bool
) -> None:
    product = discreet.new_product(stock=units)
    known = {"product_id": product, "in_stock": in_stock, "low_stock": low_stock}
    assert seen(discreet, product) == seen(discreet, product, discreet.customer) == known
    staffs = seen(discreet, product, discreet.staff)
    assert staffs["stock"] == units
    assert staffs.keys() - known.keys() == NUMBERS


def test_a_refused_order_says_what_falls_short_and_not_by_how_much(discreet: RunningShop) -> None:
    product = discreet.new_product(stock=3)
    refused = discreet.order(product, 5)
    assert (refused.status_code, refused.json()["code"]) == (409, "stock.insufficient")
    assert refused.json()["lines"] == [{"product_id": product, "quantity": 5}]


def test_a_key_of_staff_needs_its_scope_for_the_numbers(discreet: RunningShop) -> None:
    product = discreet.new_product(stock=3)
    token = employee(discreet)
    reading = made_by(discreet, token, "stock.read")["key"]
    assert seen(discreet, product, reading)["stock"] == 3
    other = made_by(discreet, token, "order.read")["key"]
    assert seen(discreet, product, other) == seen(discreet, product)


def test_who_says_who_he_is_has_to_prove_it(discreet: RunningShop) -> None:
    for token in ("x", "ek_x"):
        assert_unauthenticated(discreet.call("GET", "/stock", token))


@pytest.mark.sqlite_only
def test_a_shop_shows_its_numbers_unless_it_is_told_not_to(shop: RunningShop) -> None:
    product = shop.new_product(stock=3)
    assert seen(shop, product).keys() == {"product_id", "in_stock", "low_stock"} | NUMBERS

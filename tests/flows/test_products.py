"""Products: made, changed and deleted, and when they are on sale."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flows.lists import NOBODYS, found
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop
from tests.waiting import eventually


def test_a_product_is_made_with_what_is_given_and_sensible_rest(shop: RunningShop) -> None:
    made = shop.call("POST", "/products", shop.staff, json={"name": "Tea", "price": 0})
    assert made.status_code == 201
    assert made.json() == {
        "id": made.json()["id"],
        "name": "Tea",
        "detail": "",
        "price": 0,
        "currency": "JPY",
        "category_id": None,
        "picture": None,
        "on_sale": True,
        "in_stock": None,
        "status": True,
        "updated_at": made.json()["updated_at"],
    }
    assert shop.product(made.json()["id"]) == made.json()


def test_a_product_keeps_every_letter_it_was_given(shop: RunningShop) -> None:
    texts: dict[str, Any] = {"name": "\u8336 \U0001f375  <b>&amp;'\" \\ %", "detail": " one\r\n\ttwo a\u200db e\u0301"}
    product = shop.new_product(**texts, price=10**12, currency="EUR")
    assert shop.product(product).items() >= {**texts, "price": 10**12, "currency": "EUR"}.items()


def test_a_name_is_kept_composed_and_without_blanks_around_it(shop: RunningShop) -> None:
    product = shop.new_product(name=" \u3000Cafe\u0301  au lait ")
    assert shop.product(product)["name"] == "Caf\u00e9  au lait"
    changed = shop.call("PUT", f"/products/{product}", shop.staff, json={"name": " Tea "})
    assert changed.json()["name"] == shop.product(product)["name"] == "Tea"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Pot"},
        {"detail": "of clay"},
        {"detail": ""},
        {"price": 0},
        {"currency": "EUR", "price": 10},
        {"category_id": None},
        {"on_sale": False},
        {"name": "Pot", "price": 1},
        {},
    ],
)
def test_a_change_leaves_what_it_does_not_name(shop: RunningShop, change: dict[str, Any]) -> None:
    product = shop.new_product(detail="first flush", category_id=shop.new_category())
    wanted = shop.product(product) | change
    wanted["status"] = wanted["on_sale"]
    changed = shop.call("PUT", f"/products/{product}", shop.staff, json=change)
    wanted["updated_at"] = changed.json()["updated_at"]
    assert (changed.status_code, changed.json()) == (200, wanted)
    assert shop.product(product) == wanted


@pytest.mark.parametrize(
    ("given", "on_sale"),
    [
        ({}, True),
        ({"status": False}, False),
        ({"status": True}, True),
        ({"on_sale": False}, False),
        ({"on_sale": True, "status": False}, True),
        ({"on_sale": False, "status": True}, False),
    ],
)
def test_the_status_sets_the_sellers_switch_where_the_switch_is_not_given(
    shop: RunningShop, given: dict[str, bool], on_sale: bool
) -> None:
    product = shop.new_product(**given)
    assert (shop.product(product)["on_sale"], shop.product(product)["status"]) == (on_sale, on_sale)
    for before in (True, False):
        shop.call("PUT", f"/products/{product}", shop.staff, json={"on_sale": before}).raise_for_status()
        changed = shop.call("PUT", f"/products/{product}", shop.staff, json=given).json()
        wanted = on_sale if given else before
        assert (changed["on_sale"], changed["status"]) == (wanted, wanted)


def test_a_status_does_not_bring_back_what_is_sold_out(shop: RunningShop) -> None:
    product = shop.new_product(stock=0)
    eventually(lambda: shop.product(product)["status"], False)
    changed = shop.call("PUT", f"/products/{product}", shop.staff, json={"status": True}).json()
    assert (changed["on_sale"], changed["in_stock"], changed["status"]) == (True, False, False)


def test_a_deleted_product_is_gone_and_its_number_is_not_used_again(shop: RunningShop) -> None:
    product = shop.new_product()
    deleted = shop.call("DELETE", f"/products/{product}", shop.staff)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert product not in found(shop)
    assert shop.new_product() > product


@pytest.mark.parametrize("product", [NOBODYS, "deleted"])
def test_a_product_that_is_not_there_is_not_found(shop: RunningShop, product: int | str) -> None:
    if product == "deleted":
        product = shop.new_product()
        shop.call("DELETE", f"/products/{product}", shop.staff).raise_for_status()
    for answer in (
        shop.call("GET", f"/products/{product}"),
        shop.call("PUT", f"/products/{product}", shop.staff, json={"price": 1}),
        shop.call("DELETE", f"/products/{product}", shop.staff),
        shop.order(int(product), 1),
        shop.call("POST", "/stock", shop.staff, json={"product_id": product, "stock": 5}),
    ):
        assert_refused(answer, 404, "product.not_found")
        assert answer.json()["product_ids"] == [product]

"""Lists page by page: in which order, and what a row that comes or goes between two pages does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.flows.lists import found, walk
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop

ROWS = [
    ("B", 300),
    ("a", 100),
    ("C", 200),
    ("A", 300),
    ("B", 100),
    ("\u00e4", 200),
    ("a", 100),
    ("\u8336", 0),
    ("", 300),
]
ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "id": lambda product: product["id"],
    "name": lambda product: (product["name"].casefold(), product["id"]),
    "price": lambda product: (product["price"], product["id"]),
}


def sorted_products(shop: RunningShop, tag: str) -> None:
    for name, price in ROWS:
        shop.new_product(name=f"{tag}{name}", price=price)


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 9, 10, 100])
@pytest.mark.parametrize("column", ORDERS)
def test_every_order_has_all_rows_once_and_turns_around(shop: RunningShop, column: str, limit: int) -> None:
    tag = uuid4().hex
    sorted_products(shop, tag)
    upwards, downwards = (walk(shop, "/products", limit, q=tag, sort=sign + column) for sign in ("", "-"))
    assert len(upwards) == len(ROWS)
    assert upwards == sorted(upwards, key=ORDERS[column])
    assert downwards == upwards[::-1]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_what_is_looked_for_is_listed_by_how_well_it_fits(shop: RunningShop, limit: int) -> None:
    tag = uuid4().hex
    texts = [("Pot", f"for {tag}"), (f"Green {tag}", ""), (f"{tag} b", ""), (f"{tag.upper()}", ""), (f"A {tag}", tag)]
    in_detail, green, longer, whole, other = (shop.new_product(name=name, detail=detail) for name, detail in texts)
    best_first = [whole, longer, green, other, in_detail]
    assert found(shop, limit, q=tag) == found(shop, limit, q=tag, sort="relevance") == best_first
    assert found(shop, limit, q=tag[:2]) == found(shop, limit, q=tag[:2].upper())


def test_without_anything_that_is_looked_for_relevance_is_the_order_of_ids(shop: RunningShop) -> None:
    category = shop.new_category()
    made = [shop.new_product(category_id=category) for _ in range(3)]
    for part in ({}, {"q": ""}, {"q": " \u3000"}):
        assert found(shop, 2, category_id=category, sort="relevance", **part) == made


def test_the_list_is_in_the_order_of_ids_and_of_twenty_rows_unless_asked_otherwise(shop: RunningShop) -> None:
    category = shop.new_category()
    made = [shop.new_product(category_id=category) for _ in range(21)]
    page = shop.call("GET", "/products", params={"category_id": category}).json()
    assert [product["id"] for product in page["items"]] == made[:20]
    assert page["next_cursor"] is not None


def test_a_hundred_rows_are_a_page(shop: RunningShop) -> None:
    category = shop.new_category()
    made = [shop.new_product(category_id=category) for _ in range(100)]
    page = shop.call("GET", "/products", params={"category_id": category, "limit": 100}).json()
    assert ([product["id"] for product in page["items"]], page["next_cursor"]) == (made, None)


def test_a_cursor_survives_the_row_that_it_names(shop: RunningShop) -> None:
    tag = uuid4().hex
    sorted_products(shop, tag)
    whole = found(shop, q=tag, sort="price")
    options = {"q": tag, "sort": "price", "limit": 4}
    first = shop.call("GET", "/products", params=options).json()
    shop.call("DELETE", f"/products/{whole[3]}", shop.staff).raise_for_status()
    second = shop.call("GET", "/products", params=options | {"cursor": first["next_cursor"]}).json()
    assert [product["id"] for product in second["items"]] == whole[4:8]


def test_a_row_that_comes_between_two_pages_moves_no_other(shop: RunningShop) -> None:
    tag = uuid4().hex
    sorted_products(shop, tag)
    whole = found(shop, q=tag, sort="-price")
    options: dict[str, Any] = {"q": tag, "sort": "-price"}
    first = shop.call("GET", "/products", params=options | {"limit": 4}).json()
    shop.new_product(name=f"{tag} dear", price=10**12)
    cheap = shop.new_product(name=f"{tag} cheap", price=0)
    rest = found(shop, **options, cursor=first["next_cursor"])
    assert sorted([product["id"] for product in first["items"]] + rest) == sorted([*whole, cheap])


@pytest.mark.parametrize("letter", ["\u8336", "\U0001f375", "\u00e9", '"'])
def test_a_list_of_long_names_has_all_its_pages(shop: RunningShop, letter: str) -> None:
    tag = uuid4().hex
    made = [shop.new_product(name=(tag + letter * 200)[:200]) for _ in range(3)]
    assert found(shop, 1, q=tag, sort="name") == made


def test_a_cursor_is_of_one_order(shop: RunningShop) -> None:
    for _ in range(2):
        shop.new_product()
    for sort in ("id", "-id", "name", "-name", "price", "-price"):
        cursor = shop.call("GET", "/products", params={"sort": sort, "limit": 1}).json()["next_cursor"]
        for other in {"id", "-id", "name", "-name", "price", "-price"} - {sort}:
            refused = shop.call("GET", "/products", params={"sort": other, "limit": 1, "cursor": cursor})
            assert_refused(refused, 400, "request.invalid_cursor")


def test_stock_is_listed_page_by_page_in_the_order_of_products(shop: RunningShop) -> None:
    made = [shop.new_product(stock=stock) for stock in (5, 0, 3)]
    shop.new_product()
    listed = walk(shop, "/stock", 40)
    products = [item["product_id"] for item in listed]
    assert products == sorted(set(products))
    assert products[-3:] == made
    assert [(item["stock"], item["reserved"], item["available"]) for item in listed[-3:]] == [
        (5, 0, 5),
        (0, 0, 0),
        (3, 0, 3),
    ]
    assert listed[-3:] == [shop.stock(product) for product in made]


def test_pages_of_stock_hold_as_many_as_were_asked_for(shop: RunningShop) -> None:
    for _ in range(3):
        shop.new_product(stock=1)
    first = shop.call("GET", "/stock", params={"limit": 1}).json()
    second = shop.call("GET", "/stock", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    together = shop.call("GET", "/stock", params={"limit": 2}).json()
    assert first["items"] + second["items"] == together["items"]
    assert second["next_cursor"] == together["next_cursor"]


def test_the_ledger_is_listed_newest_first_page_by_page(shop: RunningShop) -> None:
    product = shop.new_product(stock=1)
    for delta in (1, 2, 3, 4):
        adjustment = {"delta": delta, "reason": f"delivery {delta}"}
        shop.call("POST", f"/stock/{product}/adjustments", shop.staff, json=adjustment).raise_for_status()
    seen: list[int] = []
    options: dict[str, Any] = {"limit": 2}
    for _ in range(3):
        page = shop.call("GET", f"/stock/{product}/movements", shop.staff, params=options).json()
        seen += [movement["delta"] for movement in page["items"]]
        options["cursor"] = page["next_cursor"]
    assert (seen, options["cursor"]) == ([4, 3, 2, 1, 1], None)


def test_a_cursor_of_another_products_ledger_is_refused(shop: RunningShop) -> None:
    one, other = shop.new_product(stock=1), shop.new_product(stock=1)
    for product in (one, other):
        change = {"delta": 1, "reason": "delivery"}
        shop.call("POST", f"/stock/{product}/adjustments", shop.staff, json=change).raise_for_status()
    cursor = shop.call("GET", f"/stock/{one}/movements", shop.staff, params={"limit": 1}).json()["next_cursor"]
    refused = shop.call("GET", f"/stock/{other}/movements", shop.staff, params={"cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (400, "request.invalid_cursor")


@pytest.mark.parametrize("status", ["confirmed", "fulfilled", "cancelled"])
def test_orders_are_listed_by_their_status(shop: RunningShop, status: str) -> None:
    product, buyer = shop.new_product(stock=9), shop.new_customer()
    orders = {name: shop.order(product, 1, buyer).json()["id"] for name in ("confirmed", "fulfilled", "cancelled")}
    shop.call("POST", f"/orders/{orders['fulfilled']}/fulfil", shop.staff).raise_for_status()
    shop.call("POST", f"/orders/{orders['cancelled']}/cancel", buyer).raise_for_status()
    listed = shop.call("GET", "/orders", buyer, params={"status": status}).json()["items"]
    assert [(order["id"], order["status"]) for order in listed] == [(orders[status], status)]

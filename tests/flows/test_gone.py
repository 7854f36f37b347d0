"""Stock is removed and products are deleted while orders are on their way: every unit stays in the books."""

from __future__ import annotations

from typing import Any

from tests.shops import RunningShop
from tests.waiting import eventually


def test_units_of_a_cancelled_order_come_back_after_their_stock_was_removed(shop: RunningShop) -> None:
    product, order = _three_of_ten_are_sold(shop)
    _remove(shop, product)
    _cancel(shop, order)
    eventually(lambda: _reasons(shop, product)[0], "order cancelled")
    assert shop.call("GET", f"/stock/{product}").status_code == 404
    _register(shop, product, 5)
    assert shop.units(product) == (8, 0)
    assert _is_balanced(shop, product)


def test_units_of_a_cancelled_order_come_back_after_their_stock_was_registered_again(shop: RunningShop) -> None:
    product, order = _three_of_ten_are_sold(shop)
    _remove(shop, product)
    _register(shop, product, 5)
    _cancel(shop, order)
    eventually(lambda: shop.units(product), (8, 0))
    assert _is_balanced(shop, product)


def test_a_version_goes_on_where_it_was_when_stock_is_registered_again(shop: RunningShop) -> None:
    product = shop.new_product(stock=10)
    before = shop.stock(product)["version"]
    _remove(shop, product)
    _register(shop, product, 0)
    assert shop.stock(product)["version"] == before + 2
    eventually(lambda: shop.product(product)["in_stock"], False)


def test_what_comes_back_to_removed_stock_cannot_be_ordered(shop: RunningShop) -> None:
    product, order = _three_of_ten_are_sold(shop)
    _remove(shop, product)
    _cancel(shop, order)
    eventually(lambda: _reasons(shop, product)[0], "order cancelled")
    assert shop.order(product, 1).status_code == 409
    assert product not in _listed(shop)
    assert shop.call("PUT", f"/stock/{product}", shop.staff, json={"stock": 3}).status_code == 404


def test_a_deleted_product_takes_its_stock_along(shop: RunningShop) -> None:
    product = shop.new_product(stock=10)
    shop.call("DELETE", f"/products/{product}", shop.staff).raise_for_status()
    eventually(lambda: shop.call("GET", f"/stock/{product}").status_code, 404)
    assert product not in _listed(shop)
    assert _reasons(shop, product) == ["deleted", "registered"]
    assert _is_balanced(shop, product)
    again = shop.call("POST", "/stock", shop.staff, json={"product_id": product, "stock": 5})
    assert again.json()["code"] == "product.not_found"


def test_an_order_of_a_product_that_is_deleted_afterwards_can_be_cancelled(shop: RunningShop) -> None:
    product, order = _three_of_ten_are_sold(shop)
    shop.call("DELETE", f"/products/{product}", shop.staff).raise_for_status()
    eventually(lambda: _reasons(shop, product)[0], "deleted")
    _cancel(shop, order)
    eventually(lambda: _reasons(shop, product)[0], "order cancelled")
    assert _is_balanced(shop, product)


def test_what_can_hold_no_more_can_still_be_taken_from(shop: RunningShop) -> None:
    most = 10**12
    product = shop.new_product(stock=most)
    path = f"/stock/{product}/adjustments"
    more = shop.call("POST", path, shop.staff, json={"delta": 1, "reason": "delivery"})
    assert more.json()["code"] == "stock.limit"
    shop.call("POST", path, shop.staff, json={"delta": -1, "reason": "broken"}).raise_for_status()
    assert shop.units(product) == (most - 1, 0)


def test_what_orders_gave_back_counts_against_the_limit(shop: RunningShop) -> None:
    product, order = _three_of_ten_are_sold(shop)
    _remove(shop, product)
    _cancel(shop, order)
    eventually(lambda: _reasons(shop, product)[0], "order cancelled")
    full = shop.call("POST", "/stock", shop.staff, json={"product_id": product, "stock": 10**12})
    assert full.json()["code"] == "stock.limit"


def _three_of_ten_are_sold(shop: RunningShop) -> tuple[int, str]:
    product = shop.new_product(stock=10)
    order: str = shop.order(product, 3).json()["id"]
    eventually(lambda: shop.units(product), (7, 0))
    return product, order


def _remove(shop: RunningShop, product: int) -> None:
    shop.call("DELETE", f"/stock/{product}", shop.staff).raise_for_status()


def _register(shop: RunningShop, product: int, stock: int) -> None:
    shop.call("POST", "/stock", shop.staff, json={"product_id": product, "stock": stock}).raise_for_status()


def _cancel(shop: RunningShop, order: str) -> None:
    shop.call("POST", f"/orders/{order}/cancel", shop.customer).raise_for_status()


def _movements(shop: RunningShop, product: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.call("GET", f"/stock/{product}/movements", shop.staff).json()["items"]
    return found


def _reasons(shop: RunningShop, product: int) -> list[str]:
    """Of the lines of the ledger, newest first."""
    return [line["reason"] for line in _movements(shop, product)]


def _is_balanced(shop: RunningShop, product: int) -> bool:
    lines = _movements(shop, product)
    return bool(sum(line["delta"] for line in lines) == lines[0]["on_hand"])


def _listed(shop: RunningShop) -> set[int]:
    listed: set[int] = set()
    page = shop.call("GET", "/stock?limit=100").json()
    while True:
        listed |= {item["product_id"] for item in page["items"]}
        if page["next_cursor"] is None:
            return listed
        page = shop.call("GET", f"/stock?limit=100&cursor={page['next_cursor']}").json()

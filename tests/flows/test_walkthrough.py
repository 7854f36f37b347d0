"""The walk-through of the README, in one process and as services, with the same requests."""

from __future__ import annotations

from uuid import uuid4

from tests.shops import RunningShop
from tests.waiting import eventually


def test_a_shop_is_stocked_sold_out_and_stocked_again(shop: RunningShop) -> None:
    tea = shop.call("POST", "/categories", shop.staff, json={"name": f"Tea {uuid4()}"})
    assert tea.status_code == 201
    body = {"name": "Green tea", "price": 1200, "category_id": tea.json()["id"]}
    made = shop.call("POST", "/products", shop.staff, json=body)
    assert made.status_code == 201
    product = made.json()["id"]
    assert made.json()["status"] is True
    assert shop.call("POST", "/stock", shop.staff, json={"product_id": product, "stock": 5}).status_code == 201

    name, password = f"aoi-{uuid4()}", "correct horse battery"
    signed_up = shop.call("POST", "/auth/signup", json={"user_name": name, "password": password})
    assert signed_up.status_code == 201
    logged_in = shop.call("POST", "/auth/login", data={"username": name, "password": password})
    assert logged_in.status_code == 200
    token = logged_in.json()["access_token"]
    assert shop.call("GET", "/auth/me", token).json() == signed_up.json()

    placed = shop.order(product, 5, token)
    assert placed.status_code == 201
    order = placed.json()
    assert order["status"] == "confirmed"
    assert order["user_id"] == signed_up.json()["id"]
    assert (order["product_id"], order["quantity"], order["order_at"]) == (product, 5, order["placed_at"])
    assert order["lines"] == [
        {"product_id": product, "name": "Green tea", "quantity": 5, "unit_price": 1200, "subtotal": 6000}
    ]
    assert (order["total"], order["currency"]) == (6000, "JPY")

    eventually(lambda: shop.stock(product)["stock"], 0)
    eventually(lambda: shop.product(product)["status"], False)

    refused = shop.order(product, 5, token)
    assert (refused.status_code, refused.json()["code"]) == (409, "product.discontinued")
    assert refused.json()["reason"] == "sold_out"

    adjustment = {"delta": 5, "reason": "delivery"}
    assert shop.call("POST", f"/stock/{product}/adjustments", shop.staff, json=adjustment).status_code == 201
    eventually(lambda: shop.product(product)["status"], True)

    cancelled = shop.call("POST", f"/orders/{order['id']}/cancel", token)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    eventually(lambda: shop.stock(product)["stock"], 10)


def test_an_order_of_more_than_is_left_is_refused_with_what_is_left(shop: RunningShop) -> None:
    product = shop.new_product(stock=3)
    refused = shop.order(product, 5)
    assert (refused.status_code, refused.json()["code"]) == (409, "stock.insufficient")
    assert refused.json()["lines"] == [{"product_id": product, "quantity": 5, "available": 3}]
    assert shop.stock(product)["reserved"] == 0


def test_a_product_without_a_stock_record_is_insufficient(shop: RunningShop) -> None:
    refused = shop.order(shop.new_product(), 1)
    assert (refused.status_code, refused.json()["code"]) == (409, "stock.insufficient")


def test_an_unknown_product_is_not_found(shop: RunningShop) -> None:
    refused = shop.order(10**12, 1)
    assert (refused.status_code, refused.json()["code"]) == (404, "product.not_found")
    assert refused.json()["product_ids"] == [10**12]


def test_a_product_that_the_seller_took_off_sale_stays_off_when_stock_comes_in(shop: RunningShop) -> None:
    product = shop.new_product(stock=1)
    assert shop.call("PUT", f"/products/{product}", shop.staff, json={"status": False}).json()["on_sale"] is False
    refused = shop.order(product, 1)
    assert (refused.json()["code"], refused.json()["reason"]) == ("product.discontinued", "off_sale")
    shop.call("POST", f"/stock/{product}/adjustments", shop.staff, json={"delta": -1, "reason": "broken"})
    eventually(lambda: shop.product(product)["in_stock"], False)
    shop.call("POST", f"/stock/{product}/adjustments", shop.staff, json={"delta": 9, "reason": "delivery"})
    eventually(lambda: shop.product(product)["in_stock"], True)
    assert shop.product(product)["status"] is False


def test_stock_for_an_unknown_product_is_refused(shop: RunningShop) -> None:
    refused = shop.call("POST", "/stock", shop.staff, json={"product_id": 10**12, "stock": 5})
    assert (refused.status_code, refused.json()["code"]) == (404, "product.not_found")
    assert shop.call("GET", f"/stock/{10**12}").status_code == 404


def test_removed_stock_takes_the_product_off_sale_and_registering_again_brings_it_back(shop: RunningShop) -> None:
    product = shop.new_product(stock=2)
    assert shop.call("DELETE", f"/stock/{product}", shop.staff).status_code == 204
    eventually(lambda: shop.product(product)["status"], False)
    assert shop.call("POST", "/stock", shop.staff, json={"product_id": product, "stock": 2}).status_code == 201
    eventually(lambda: shop.product(product)["status"], True)


def test_the_ledger_tells_of_every_change_of_what_is_on_hand(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    order = shop.order(product, 2).json()
    eventually(lambda: shop.stock(product)["stock"], 3)
    shop.call("PUT", f"/stock/{product}", shop.staff, json={"stock": 10})
    ledger = shop.call("GET", f"/stock/{product}/movements", shop.staff).json()["items"]
    told = [(line["delta"], line["on_hand"], line["reason"], line["reference"]) for line in reversed(ledger)]
    assert told == [(5, 5, "registered", None), (-2, 3, "ordered", order["id"]), (7, 10, "set", None)]


def test_what_is_reserved_cannot_be_taken_away(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    for delta in (-6, -(10**12)):
        adjustment = {"delta": delta, "reason": "theft"}
        refused = shop.call("POST", f"/stock/{product}/adjustments", shop.staff, json=adjustment)
        assert (refused.status_code, refused.json()["code"]) == (409, "stock.reserved")
    assert shop.stock(product)["stock"] == 5

"""Orders from their placing to their end, in one process and as services."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx

from tests.shops import RunningShop
from tests.waiting import eventually


def place(shop: RunningShop, lines: dict[int, int], token: str = "", **headers: str) -> httpx.Response:
    body = {"lines": [{"product_id": product, "quantity": units} for product, units in lines.items()]}
    return shop.call("POST", "/orders", token or shop.customer, json=body, headers=headers)


def test_an_order_of_several_lines_takes_all_of_them(shop: RunningShop) -> None:
    tea, pot = shop.new_product(stock=5, price=1200), shop.new_product(stock=2, price=4000)
    placed = place(shop, {tea: 3, pot: 1})
    assert placed.status_code == 201
    assert [line["subtotal"] for line in placed.json()["lines"]] == [3600, 4000]
    assert placed.json()["total"] == 7600
    eventually(lambda: (shop.units(tea), shop.units(pot)), ((2, 0), (1, 0)))


def test_an_order_that_one_line_fails_takes_nothing(shop: RunningShop) -> None:
    tea, pot = shop.new_product(stock=5), shop.new_product(stock=2)
    refused = place(shop, {tea: 3, pot: 4})
    assert refused.json()["lines"] == [{"product_id": pot, "quantity": 4, "available": 2}]
    assert [shop.stock(product)["reserved"] for product in (tea, pot)] == [0, 0]


def test_an_order_in_two_currencies_is_refused(shop: RunningShop) -> None:
    yen, euro = shop.new_product(stock=5), shop.new_product(stock=5, currency="EUR")
    refused = place(shop, {yen: 1, euro: 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "order.mixed_currencies")
    assert refused.json()["currencies"] == ["EUR", "JPY"]


def test_an_order_keeps_the_price_that_it_was_placed_with(shop: RunningShop) -> None:
    product = shop.new_product(stock=5, price=1200)
    order = shop.order(product, 1).json()
    shop.call("PUT", f"/products/{product}", shop.staff, json={"price": 1500})
    shop.call("DELETE", f"/products/{product}", shop.staff)
    assert shop.call("GET", f"/orders/{order['id']}", shop.customer).json()["total"] == 1200


def test_a_repeat_with_the_same_key_answers_the_same_and_orders_nothing(shop: RunningShop) -> None:
    product, key = shop.new_product(stock=5), {"idempotency-key": str(uuid4())}
    first, again = (place(shop, {product: 2}, **key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    eventually(lambda: shop.units(product), (3, 0))


def test_a_key_in_quotes_is_the_same_as_without(shop: RunningShop) -> None:
    product, key = shop.new_product(stock=5), str(uuid4())
    first, again = (place(shop, {product: 2}, **{"idempotency-key": sent}) for sent in (key, f'"{key}"'))
    assert first.json() == again.json()
    eventually(lambda: shop.units(product), (3, 0))


def test_a_repeat_is_answered_even_when_the_product_is_sold_out_by_now(shop: RunningShop) -> None:
    product, key = shop.new_product(stock=2), {"idempotency-key": str(uuid4())}
    first = place(shop, {product: 2}, **key)
    eventually(lambda: shop.product(product)["status"], False)
    assert place(shop, {product: 2}, **key).json() == first.json()


def test_the_same_key_with_another_body_is_refused(shop: RunningShop) -> None:
    product, key = shop.new_product(stock=5), {"idempotency-key": str(uuid4())}
    assert place(shop, {product: 2}, **key).status_code == 201
    refused = place(shop, {product: 3}, **key)
    assert (refused.status_code, refused.json()["code"]) == (422, "request.idempotency_key_reused")


def test_the_same_key_of_two_buyers_makes_two_orders(shop: RunningShop) -> None:
    product, key = shop.new_product(stock=5), {"idempotency-key": "1"}
    orders = [place(shop, {product: 1}, shop.new_customer(), **key).json()["id"] for _ in range(2)]
    assert len(set(orders)) == 2


def test_sixty_buyers_with_the_same_key_place_one_order(shop: RunningShop) -> None:
    product, token, key = shop.new_product(stock=100), shop.new_customer(), {"idempotency-key": str(uuid4())}
    with ThreadPoolExecutor(60) as buyers:
        answers = list(buyers.map(lambda _: place(shop, {product: 1}, token, **key), range(60)))
    assert [answer.status_code for answer in answers] == [201] * 60
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(shop.call("GET", "/orders", token).json()["items"]) == 1
    eventually(lambda: shop.units(product), (99, 0))


def test_a_cancelled_order_gives_its_units_back_once(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    order = shop.order(product, 5).json()
    eventually(lambda: shop.product(product)["status"], False)
    for _ in range(2):
        cancelled = shop.call("POST", f"/orders/{order['id']}/cancel", shop.customer)
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    eventually(lambda: shop.product(product)["status"], True)
    assert shop.stock(product)["stock"] == 5


def test_an_order_cancelled_at_once_leaves_nothing_reserved(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    order = shop.order(product, 2).json()
    shop.call("POST", f"/orders/{order['id']}/cancel", shop.customer)
    eventually(lambda: shop.units(product), (5, 0))


def test_a_fulfilled_order_cannot_be_cancelled(shop: RunningShop) -> None:
    order = shop.order(shop.new_product(stock=5), 1).json()
    assert shop.call("POST", f"/orders/{order['id']}/fulfil", shop.customer).status_code == 403
    fulfilled = shop.call("POST", f"/orders/{order['id']}/fulfil", shop.staff)
    assert (fulfilled.status_code, fulfilled.json()["status"]) == (200, "fulfilled")
    refused = shop.call("POST", f"/orders/{order['id']}/cancel", shop.customer)
    assert (refused.status_code, refused.json()["code"]) == (409, "order.not_confirmed")
    assert refused.json()["order_status"] == "fulfilled"


def test_a_cancelled_order_cannot_be_fulfilled(shop: RunningShop) -> None:
    order = shop.order(shop.new_product(stock=5), 1).json()
    shop.call("POST", f"/orders/{order['id']}/cancel", shop.customer)
    refused = shop.call("POST", f"/orders/{order['id']}/fulfil", shop.staff)
    assert (refused.status_code, refused.json()["code"]) == (409, "order.not_confirmed")


def test_a_foreign_order_does_not_exist(shop: RunningShop) -> None:
    order, stranger = shop.order(shop.new_product(stock=5), 1).json(), shop.new_customer()
    for method, path in (("GET", ""), ("POST", "/cancel")):
        refused = shop.call(method, f"/orders/{order['id']}{path}", stranger)
        assert (refused.status_code, refused.json()["code"]) == (404, "order.not_found")
    assert shop.call("GET", f"/orders/{order['id']}", shop.customer).json()["status"] == "confirmed"


def test_the_history_is_the_buyers_own_newest_first_page_by_page(shop: RunningShop) -> None:
    product, token = shop.new_product(stock=50), shop.new_customer()
    placed = [shop.order(product, 1, token).json()["id"] for _ in range(5)]
    shop.order(product, 1, shop.new_customer())
    seen: list[list[str]] = []
    options: dict[str, Any] = {"limit": 2}
    for _ in range(3):
        page = shop.call("GET", "/orders", token, params=options).json()
        seen.append([order["id"] for order in page["items"]])
        options["cursor"] = page["next_cursor"]
    newest_first = placed[::-1]
    assert seen == [newest_first[:2], newest_first[2:4], newest_first[4:]]
    assert options["cursor"] is None


def test_staff_sees_the_orders_of_all(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    orders = {shop.order(product, 1, shop.new_customer()).json()["id"] for _ in range(2)}
    listed = shop.call("GET", "/orders", shop.staff, params={"limit": 100}).json()["items"]
    assert orders <= {order["id"] for order in listed}

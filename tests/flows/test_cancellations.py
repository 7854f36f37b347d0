"""Who cancelled an order, when and why, and what becomes of its units."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.flows.refusals import assert_refused
from tests.shops import RunningShop
from tests.waiting import eventually


def test_a_cancelled_order_says_who_cancelled_it_when_and_why(shop: RunningShop) -> None:
    for token, who in ((shop.customer, "customer"), (shop.staff, "staff")):
        order = shop.order(shop.new_product(stock=5), 1).json()
        cancelled = cancel(shop, order, token, reason="Ordered twice \u8336").json()
        assert (cancelled["cancelled_by"], cancelled["reason"]) == (who, "Ordered twice \u8336")
        assert order["placed_at"] < cancelled["cancelled_at"] == cancelled["updated_at"]
        assert seen(shop, order) == cancelled


def test_an_order_of_staff_that_they_cancel_is_cancelled_by_its_customer(shop: RunningShop) -> None:
    order = shop.order(shop.new_product(stock=5), 1, shop.staff).json()
    assert cancel(shop, order, shop.staff).json()["cancelled_by"] == "customer"


def test_an_order_that_stands_is_cancelled_by_nobody(shop: RunningShop) -> None:
    order = shop.order(shop.new_product(stock=5), 1).json()
    for known in (order, shop.call("POST", f"/orders/{order['id']}/fulfil", shop.staff).json()):
        assert (known["cancelled_by"], known["reason"], known["cancelled_at"]) == (None, None, None)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"json": {}},
        {"json": {"restock": True}},
        {"content": b"", "headers": {"content-type": "application/json"}},
        {"content": b"", "headers": {"content-type": "text/plain"}},
        {"content": iter([b""])},
    ],
    ids=["no body", "an empty object", "restock", "no JSON", "no text", "no pieces"],
)
def test_a_cancellation_needs_no_reason(shop: RunningShop, sent: dict[str, Any]) -> None:
    order = shop.order(shop.new_product(stock=5), 1).json()
    cancelled = shop.call("POST", f"/orders/{order['id']}/cancel", shop.customer, **sent)
    assert (cancelled.status_code, cancelled.json()["status"], cancelled.json()["reason"]) == (200, "cancelled", None)


def test_the_first_reason_stays(shop: RunningShop) -> None:
    order = shop.order(shop.new_product(stock=5), 1).json()
    first = cancel(shop, order, reason="ordered twice").json()
    for again in (cancel(shop, order), cancel(shop, order, shop.staff, reason="out of tea", restock=False)):
        assert (again.status_code, again.json()) == (200, first)


def test_a_fulfilled_order_has_no_reason_to_be_cancelled(shop: RunningShop) -> None:
    order = shop.order(shop.new_product(stock=5), 1).json()
    fulfilled = shop.call("POST", f"/orders/{order['id']}/fulfil", shop.staff).json()
    assert_refused(cancel(shop, order, reason="too late"), 409, "order.not_confirmed")
    assert seen(shop, order) == fulfilled


def test_a_customer_may_not_say_that_units_do_not_come_back(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    order = shop.order(product, 2).json()
    before = seen(shop, order)
    for token in (shop.customer, shop.new_customer()):
        assert_refused(cancel(shop, order, token, restock=False), 403, "auth.forbidden")
    assert seen(shop, order) == before
    eventually(lambda: shop.units(product), (3, 0))


def test_units_that_are_not_restocked_are_lost_and_the_ledger_says_so(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    order = shop.order(product, 5).json()
    eventually(lambda: shop.product(product)["status"], False)
    cancel(shop, order, shop.staff, reason="broken in the store", restock=False).raise_for_status()
    eventually(lambda: reasons(shop, product, order)[0], "not restocked")
    assert reasons(shop, product, order) == ["not restocked", "order cancelled", "ordered"]
    assert [line["delta"] for line in ledger(shop, product)] == [-5, 5, -5, 5]
    assert (shop.units(product), shop.product(product)["status"]) == ((0, 0), False)


def test_units_of_an_order_that_is_cancelled_at_once_are_lost_the_same_way(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    order = shop.order(product, 2).json()
    cancel(shop, order, shop.staff, restock=False).raise_for_status()
    eventually(lambda: shop.units(product), (3, 0))
    eventually(lambda: reasons(shop, product, order), ["not restocked", "order cancelled", "ordered"])


def cancel(shop: RunningShop, order: dict[str, Any], token: str = "", **body: Any) -> httpx.Response:
    options = {"json": body} if body else {}
    return shop.call("POST", f"/orders/{order['id']}/cancel", token or shop.customer, **options)


def seen(shop: RunningShop, order: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = shop.call("GET", f"/orders/{order['id']}", shop.staff).json()
    return found


def ledger(shop: RunningShop, product: int) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = shop.call("GET", f"/stock/{product}/movements", shop.staff).json()["items"]
    return found


def reasons(shop: RunningShop, product: int, order: dict[str, Any]) -> list[str]:
    return [line["reason"] for line in ledger(shop, product) if line["reference"] == order["id"]]

"""The ledger: who moved the units of a product."""

from __future__ import annotations

from typing import Any

from tests.shops import RunningShop
from tests.waiting import eventually


def test_each_movement_says_which_user_made_it(shop: RunningShop) -> None:
    product, staff = shop.new_product(stock=5), [shop.new_staff() for _ in range(3)]
    path = f"/stock/{product}"
    shop.call("POST", f"{path}/adjustments", staff[0], json={"delta": 3, "reason": "delivery"}).raise_for_status()
    shop.call("PUT", path, staff[1], json={"stock": 7}).raise_for_status()
    order = shop.order(product, 2).json()
    eventually(lambda: shop.units(product), (5, 0))
    shop.call("POST", f"/orders/{order['id']}/cancel", shop.customer).raise_for_status()
    eventually(lambda: shop.units(product), (7, 0))
    shop.call("DELETE", path, staff[2]).raise_for_status()
    users = [shop.user_id(token) for token in (shop.staff, *staff)]
    assert [(line["reason"], line["actor"]) for line in ledger(shop, product)[::-1]] == [
        ("registered", users[0]),
        ("delivery", users[1]),
        ("set", users[2]),
        ("ordered", None),
        ("order cancelled", None),
        ("removed", users[3]),
    ]


def test_nobody_made_the_movement_of_a_product_that_was_deleted(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    shop.call("DELETE", f"/products/{product}", shop.staff).raise_for_status()
    eventually(lambda: (ledger(shop, product)[0]["reason"], ledger(shop, product)[0]["actor"]), ("deleted", None))


def ledger(shop: RunningShop, product: int) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = shop.call("GET", f"/stock/{product}/movements", shop.staff).json()["items"]
    return found

"""A machine with a key of somebody's, at every service of the shop."""

from __future__ import annotations

from functools import partial

import pytest

from tests.flows.operations import Operation
from tests.flows.refusals import assert_refused, assert_unauthenticated
from tests.flows.test_sessions import WITHIN, by_admin, log_in, member, status
from tests.shops import RunningShop
from tests.waiting import eventually

pytestmark = pytest.mark.sqlite_only


def made_by(shop: RunningShop, token: str, *scopes: str) -> dict[str, str]:
    answer = shop.call("POST", "/auth/api-keys", token, json={"name": "the till", "scopes": scopes})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, str] = answer.json()
    return told


def employee(shop: RunningShop) -> str:
    """A token of somebody with an account, whom an admin has made one of the staff."""
    who = member(shop)
    by_admin(shop, who, role="staff")
    return log_in(shop, who.name)["access_token"]


def test_a_till_orders_in_its_owners_name(shop: RunningShop) -> None:
    who, product = member(shop), shop.new_product(stock=5)
    till = made_by(shop, who.token, "order.write", "order.read")
    placed = shop.order(product, 2, till["key"])
    assert placed.status_code == 201
    assert shop.call("GET", f"/orders/{placed.json()['id']}", who.token).status_code == 200
    assert [order["id"] for order in shop.call("GET", "/orders", till["key"]).json()["items"]] == [placed.json()["id"]]
    assert shop.call("GET", "/auth/api-keys", who.token).json()["items"][0]["used_at"]


def test_a_key_opens_what_its_scopes_name_and_nothing_else(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    counter = made_by(shop, employee(shop), "stock.write")["key"]
    delivery = {"delta": 5, "reason": "delivery"}
    assert shop.call("POST", f"/stock/{product}/adjustments", counter, json=delivery).status_code == 201
    for method, path in (
        ("GET", f"/stock/{product}/movements"),
        ("DELETE", f"/products/{product}"),
        ("GET", "/orders"),
        ("GET", "/users"),
    ):
        assert_refused(shop.call(method, path, counter), 403, "auth.forbidden")


def test_no_key_makes_another_one_or_touches_its_owners_account(shop: RunningShop, operations: list[Operation]) -> None:
    key = made_by(shop, employee(shop), "order.read", "order.write", "product.write", "stock.read", "stock.write")[
        "key"
    ]
    of_accounts = [one for one in operations if one.guard == "user" and one.told["tags"] == ["auth"]]
    assert len(of_accounts) > 10
    for operation in of_accounts:
        assert_refused(operation.call(key), 403, "auth.forbidden")


def test_each_operation_says_which_scope_a_key_needs_and_wants_no_other(
    shop: RunningShop, guarded: list[Operation]
) -> None:
    scopes = ("order.read", "order.write", "product.write", "stock.read", "stock.write")
    token = employee(shop)
    keys = {scope: made_by(shop, token, scope)["key"] for scope in scopes}
    for operation in guarded:
        opening = {scope for scope, key in keys.items() if operation.call(key).status_code not in {401, 403}}
        assert opening == {scope for scope in scopes if f"**{scope}**" in operation.told["description"]}, operation.name


def test_a_key_that_is_ended_is_refused_by_every_service(shop: RunningShop) -> None:
    who = member(shop)
    till = made_by(shop, who.token, "order.read")
    assert status(shop, "/orders", till["key"]) == 200
    assert shop.call("DELETE", f"/auth/api-keys/{till['id']}", who.token).status_code == 204
    eventually(partial(status, shop, "/orders", till["key"]), 401, seconds=WITHIN)
    assert_refused(shop.call("DELETE", f"/auth/api-keys/{till['id']}", who.token), 404, "auth.api_key_not_found")


def test_a_key_ends_with_the_account_that_made_it(shop: RunningShop) -> None:
    who = member(shop)
    till = made_by(shop, who.token, "order.read")["key"]
    assert status(shop, "/orders", till) == 200
    by_admin(shop, who, disabled=True)
    eventually(partial(status, shop, "/orders", till), 401, seconds=WITHIN)


def test_a_customer_grants_nothing_that_is_for_staff(shop: RunningShop) -> None:
    wanted = {"name": "too much", "scopes": ["order.read", "stock.write"]}
    refused = shop.call("POST", "/auth/api-keys", member(shop).token, json=wanted)
    assert_refused(refused, 403, "auth.scope_not_granted")
    assert refused.json()["may_grant"] == ["order.read", "order.write", "stock.read"]


@pytest.mark.parametrize("key", ["ek_", "ek_x", "ek_" + "A" * 64, "ek_" + "A" * 3000, "er_" + "A" * 64])
def test_what_is_no_key_opens_nothing(shop: RunningShop, guarded: list[Operation], key: str) -> None:
    for operation in guarded:
        assert_unauthenticated(operation.call(key))


def test_a_key_may_be_exchanged_for_a_token_by_hand(shop: RunningShop) -> None:
    key = made_by(shop, member(shop).token, "order.read")["key"]
    token = shop.call("POST", "/auth/api-keys/token", json={"key": key}).json()
    assert (token["token_type"], token["scope"]) == ("bearer", "order.read")
    assert shop.call("GET", "/orders", token["access_token"]).status_code == 200
    refused = shop.call("POST", "/auth/api-keys/token", json={"key": "ek_" + "A" * 64})
    assert_refused(refused, 401, "auth.invalid_api_key")

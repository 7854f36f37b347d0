"""What people do is noted with it, and admins read it; on every shape of the shop alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role
from entrypoints.contexts import NAMES
from tests.flows.refusals import assert_refused
from tests.flows.test_commands import ecshop
from tests.flows.test_sessions import PASSWORD, log_in, member
from tests.shops import RunningShop

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def admin(shop: RunningShop) -> str:
    return signing_key_in(shop.folder).token_for_user(uuid4(), Role.ADMIN, 900)


def told(shop: RunningShop, admin: str, context: str, subject: str) -> list[dict[str, Any]]:
    """The oldest first."""
    answer = shop.call("GET", f"/audit/{context}", admin, params={"subject": subject})
    assert answer.status_code == 200
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


def test_a_price_tells_who_changed_it_from_where_and_what_it_was(shop: RunningShop, admin: str) -> None:
    product = shop.new_product()
    mark = {"x-request-id": f"r{uuid4()}"}
    shop.call("PUT", f"/products/{product}", shop.staff, json={"price": 1300}, headers=mark).raise_for_status()
    shop.call("DELETE", f"/products/{product}", shop.staff).raise_for_status()
    made, changed, deleted = told(shop, admin, "product", f"product {product}")
    assert [one["action"] for one in (made, changed, deleted)] == [
        "product.created",
        "product.changed",
        "product.deleted",
    ]
    assert (changed["before"], changed["after"]) == ({"price": 1200}, {"price": 1300})
    assert (changed["actor"], changed["role"]) == (shop.user_id(shop.staff), "staff")
    assert (changed["address"], changed["request_id"]) == ("127.0.0.1", mark["x-request-id"])
    assert deleted["before"]["price"] == 1300


def test_stock_that_staff_moves_tells_how_much_and_why(shop: RunningShop, admin: str) -> None:
    product = shop.new_product(stock=5)
    shop.call("POST", f"/stock/{product}/adjustments", shop.staff, json={"delta": -2, "reason": "breakage"})
    shop.call("PUT", f"/stock/{product}", shop.staff, json={"stock": 7})
    shop.call("DELETE", f"/stock/{product}", shop.staff)
    found = told(shop, admin, "stock", f"product {product}")
    assert [(one["action"], one["before"], one["after"]) for one in found] == [
        ("stock.registered", None, {"stock": 5}),
        ("stock.adjusted", {"stock": 5}, {"stock": 3, "reason": "breakage"}),
        ("stock.adjusted", {"stock": 3}, {"stock": 7, "reason": "set"}),
        ("stock.removed", {"stock": 7}, None),
    ]


def test_an_order_that_staff_cancels_says_so_and_one_that_its_customer_cancels_is_his_own(
    shop: RunningShop, admin: str
) -> None:
    product = shop.new_product(stock=5)
    by_staff, own = (shop.order(product, 1).json()["id"] for _ in range(2))
    cancellation = {"reason": "broken", "restock": False}
    shop.call("POST", f"/orders/{by_staff}/cancel", shop.staff, json=cancellation).raise_for_status()
    shop.call("POST", f"/orders/{own}/cancel", shop.customer).raise_for_status()
    [cancelled] = told(shop, admin, "order", f"order {by_staff}")
    assert (cancelled["action"], cancelled["after"]) == ("order.cancelled", cancellation)
    assert told(shop, admin, "order", f"order {own}") == []


def test_an_account_tells_of_logins_refusals_and_changes(shop: RunningShop, admin: str) -> None:
    who = member(shop)
    shop.call("POST", "/auth/login", data={"username": who.name, "password": "guessed"})
    shop.call("PUT", f"/users/{who.id}", admin, json={"role": "staff"}).raise_for_status()
    ecshop("user", "disable", who.name, "--data-dir", str(shop.folder))
    found = told(shop, admin, "auth", f"user {who.id}")
    assert [one["action"] for one in found] == ["user.logged_in", "user.login_refused", "user.changed", "user.changed"]
    login, refused, by_admin, by_command = found
    assert (login["actor"], refused["actor"], by_command["actor"]) == (who.id, None, None)
    assert by_admin["actor"] == shop.user_id(admin)
    assert by_command["role"] == "command line"
    assert login["session"]
    assert (by_admin["before"]["role"], by_admin["after"]["role"]) == ("customer", "staff")
    assert by_command["after"]["disabled"]
    assert PASSWORD not in str(found)


def test_a_login_under_a_name_that_nobody_has_is_noted_without_it(shop: RunningShop, admin: str) -> None:
    name = f"u{uuid4()}"
    shop.call("POST", "/auth/login", data={"username": name, "password": "guessed"})
    found = told(shop, admin, "auth", "user unknown")
    assert {one["action"] for one in found} == {"user.login_refused"}
    assert name not in str(found)


def test_a_logout_and_a_new_password_are_noted(shop: RunningShop, admin: str) -> None:
    who = member(shop)
    change = {"current_password": PASSWORD, "new_password": "another horse battery"}
    shop.call("POST", "/auth/password", who.token, json=change).raise_for_status()
    shop.call("POST", "/auth/logout", who.token).raise_for_status()
    again = log_in(shop, who.name, "another horse battery")["access_token"]
    shop.call("POST", "/auth/logout?everywhere=true", again).raise_for_status()
    actions = [one["action"] for one in told(shop, admin, "auth", f"user {who.id}")]
    assert actions == ["user.logged_in", "user.password_changed", "session.ended", "user.logged_in", "sessions.ended"]


def test_admins_alone_read_it(shop: RunningShop) -> None:
    for context in NAMES:
        assert_refused(shop.call("GET", f"/audit/{context}", shop.staff), 403, "auth.forbidden")
        assert_refused(shop.call("GET", f"/audit/{context}"), 401, "auth.unauthenticated")


def test_the_command_lists_it_and_finds_it_unbroken(shop: RunningShop) -> None:
    product = shop.new_product(stock=5)
    data = ("--data-dir", str(shop.folder))
    listed = ecshop("audit", "list", "stock", "--subject", f"product {product}", *data)
    [line] = listed.stdout.splitlines()
    assert shop.user_id(shop.staff) in line
    assert "stock.registered  product" in line
    verified = ecshop("audit", "verify", *data)
    assert verified.returncode == 0
    assert [line.split(":")[0] for line in verified.stdout.splitlines()] == list(NAMES)


@pytest.fixture(autouse=True)
def _unbroken(shop: RunningShop) -> Iterator[None]:
    yield
    assert ecshop("audit", "verify", "--data-dir", str(shop.folder)).returncode == 0

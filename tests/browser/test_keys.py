"""Sessions and API keys of whoever is signed in: seen, made and ended on their pages."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import PASSWORD, Browser
from tests.browser.staff import Open, staff
from tests.shops import RunningShop
from tests.waiting import eventually


def test_a_key_is_shown_once_works_for_what_was_ticked_and_ends(shop: RunningShop, opened: Open) -> None:
    page = staff(shop, opened).page
    page.goto("/console/keys")
    page.get_by_label("Name", exact=True).fill("the till")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("alert")).to_contain_text("something that it is good for")
    expect(page.get_by_label("Name", exact=True)).to_have_value("the till")
    page.get_by_label("order.read").check()
    page.get_by_role("button", name="Make the key").click()
    key = page.get_by_role("status").locator("code").inner_text()
    assert shop.call("GET", "/orders", key).status_code == 200
    assert shop.call("GET", "/users", key).status_code == 403
    assert key not in page.goto("/console/keys").text()  # type: ignore[union-attr] # it answers
    page.locator("tr", has_text="the till").get_by_role("button").click()
    expect(page.locator("main")).to_contain_text("You have no key.")


def test_somebody_sees_where_they_are_signed_in_and_ends_it_elsewhere(shop: RunningShop, browser: Browser) -> None:
    name = browser.sign_up()
    other = Browser(shop)
    other.see("/shop/sign-in")
    other.send("/shop/sign-in", username=name, password=PASSWORD)
    page = browser.see("/shop/account")
    assert page.count("/shop/sessions/") == 1
    assert "this one" in page
    [action] = [part.partition('"')[0] for part in page.split('action="')[1:] if part.startswith("/shop/sessions/")]
    page = browser.send(action)
    assert (browser.path, page.count("/shop/sessions/")) == ("/shop/account", 0)
    ended = other.cookies["__Host-access"]
    eventually(lambda: shop.call("GET", "/auth/me", ended).status_code, 401)
    other.close()

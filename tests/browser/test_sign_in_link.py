"""A link that signs its first visitor in, and what becomes of it in other hands."""

from __future__ import annotations

from playwright.sync_api import expect

from ecshop.kernel.identity import Role
from entrypoints.operations.users import link_for
from tests.browser.conftest import Browser, product
from tests.browser.staff import Open, appoint
from tests.shops import RunningShop


def test_a_link_opens_the_console(shop: RunningShop, opened: Open) -> None:
    name = appoint(shop, Role.ADMIN)
    person = opened()
    person.see(link_for(shop.settings, name).place)
    assert person.page.url.endswith("/console")
    expect(person.page.get_by_role("banner")).to_contain_text(name)


def test_its_session_and_everybodys_role_are_told_in_the_language_of_the_page(shop: RunningShop, opened: Open) -> None:
    name = appoint(shop, Role.ADMIN)
    person = opened(locale="ja-JP")
    person.see(link_for(shop.settings, name).place)
    expect(person.see("/shop/account").get_by_role("main")).to_contain_text("ログイン用リンク")
    expect(person.see(f"/console/users?q={name}").locator("tbody")).to_contain_text("管理者")


def test_a_customer_is_led_to_the_shelf(shop: RunningShop, browser: Browser) -> None:
    browser.see(link_for(shop.settings, appoint(shop, Role.CUSTOMER)).place)
    assert browser.path == "/"


def test_a_link_that_is_none_says_how_to_get_one(browser: Browser) -> None:
    for token in ("", "er_" + "A" * 64, "x" * 5000):
        assert "ecshop user link" in browser.see(f"/shop/link?token={token}")
        assert browser.page.status_code == 422
    assert browser.path == "/shop/link"


def test_no_page_of_another_site_signs_its_visitors_in(shop: RunningShop, opened: Open) -> None:
    """Who buys as somebody else has told them what is bought, and where it goes."""
    place = link_for(shop.settings, appoint(shop, Role.CUSTOMER)).place
    person = opened()
    address = person.see("/").url.rstrip("/")
    elsewhere = address.replace("127.0.0.1", "localhost")
    person.see(f"{elsewhere}/shop/products/{product(shop, 1)[0]}")
    person.page.evaluate("there => { location.href = there }", f"{address}{place}")
    expect(person.page.get_by_role("alert")).to_contain_text("paste it")
    person.hosts.discard(elsewhere.removeprefix("http://"))
    assert not [cookie for cookie in person.page.context.cookies(address) if "session" in cookie["name"]]

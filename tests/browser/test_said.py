"""What was done, and what was not, is said where somebody looks."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from ecshop.order.contract import MAX_LINES
from tests.browser.conftest import Browser, product
from tests.browser.staff import Open, ordered, short, staff
from tests.shops import RunningShop


def test_what_was_put_into_the_basket_is_said_and_so_is_what_was_not(shop: RunningShop, opened: Open) -> None:
    tea, name = product(shop, 5)
    person = opened()
    person.page.route("**/live", lambda route: route.abort())  # it would take the button away
    page = person.see(f"/shop/products/{tea}")
    person.press("Add to basket")
    expect(page.locator("#said")).to_have_text(f"{name} is in your basket.")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert person.violations() == []
    shop.call("DELETE", f"/products/{tea}", shop.staff).raise_for_status()
    person.press("Add to basket")
    expect(page.locator("#said")).to_have_text("Nothing is here, or no longer.")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    person.complaints.clear()  # the browser itself tells of the refusal


def test_a_full_basket_says_so_and_stays_as_it_is(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    browser.see(f"/shop/products/{tea}")
    full = ".".join(f"{10**9 + number}x1" for number in range(MAX_LINES))
    [name] = [one for one in ("__Host-basket", "basket") if one in browser.cookies] or ["__Host-basket"]
    browser._jar[name] = full
    page = browser.send("/shop/basket/lines")
    assert browser.page.status_code == 422
    assert "Your basket is full." in page
    assert browser.cookies[name] == full


def test_what_many_orders_became_is_said_and_the_filter_stays(shop: RunningShop, opened: Open) -> None:
    order = ordered(shop)
    page = staff(shop, opened).see("/console/orders?status=confirmed")
    expect(page.get_by_role("button", name="Fulfil the chosen")).not_to_be_visible()
    page.get_by_label(f"Choose order {short(order)}").check()
    page.get_by_role("button", name="Fulfil the chosen").click()
    expect(page.get_by_role("status")).to_contain_text("1 order was changed.")
    assert "status=confirmed" in page.url
    expect(page.get_by_label(f"Choose order {short(order)}")).to_have_count(0)


def test_events_of_one_type_go_on_moving(shop: RunningShop, opened: Open) -> None:
    ordered(shop)
    page = staff(shop, opened).see("/console/events")
    page.get_by_label("Type").select_option("order.confirmed")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile("type=ecshop.order.confirmed.v1"))
    expect(page.locator("#live")).to_contain_text("Live")
    order = ordered(shop, stock=1)
    expect(page.locator("#rows")).to_contain_text(short(order))
    expect(page.locator("#rows")).not_to_contain_text("stock.depleted")


def test_a_basket_says_nothing_of_what_is_not_in_it(browser: Browser) -> None:
    for asked in ("x", "7", "\u0661", "9" * 40, "<b>"):
        assert "is in your basket." not in browser.see(f"/shop/basket?added={asked}")
        assert browser.page.status_code == 200

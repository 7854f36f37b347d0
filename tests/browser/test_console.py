"""Staff at a real browser: from the console to what happened, and what is done about it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import expect

from ecshop.events.catalog import OrderFulfilled
from ecshop.events.outbox import record
from ecshop.kernel.identity import Role
from entrypoints.operations.shop_data import beside_the_shop
from tests.browser.conftest import PASSWORD, Browser, product
from tests.browser.staff import Open, appoint, given_up, ordered, short, staff
from tests.shops import RunningShop
from tests.waiting import eventually

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
PAGES = [
    "/console",
    "/console/orders",
    "/console/events",
    "/console/dead-letters",
    "/console/stock",
    "/console/stock/import",
    "/console/products",
    "/console/products/new",
    "/console/categories",
    "/console/find?q=e",
    "/console/find?q=nothing-like-that",
    "/console/users",
    "/console/keys",
    "/console/audit",
    "/console/break",
]


@pytest.mark.parametrize("path", ["/console", "/console/orders", f"/console/orders/{UUID(int=7)}"])
def test_the_console_is_for_staff(browser: Browser, path: str) -> None:
    browser.see(path)
    assert browser.path == "/shop/sign-in"
    browser.sign_up()
    browser.see(path)
    assert browser.page.status_code == 403
    assert "dead-letters" not in browser.page.text


def test_the_audit_log_is_for_admins(shop: RunningShop, opened: Open) -> None:
    person = staff(shop, opened, Role.STAFF)
    assert person.page.goto("/console/audit").status == 403  # type: ignore[union-attr] # it answers


def test_from_the_console_to_why_an_order_is_not_shipped_in_three_clicks(shop: RunningShop, opened: Open) -> None:
    order = ordered(shop)
    event_id = given_up(shop, order)
    page = staff(shop, opened).page
    page.get_by_role("link", name="Look at them").click()
    page.get_by_role("row", name=event_id).get_by_role("link", name="Timeline").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(short(order))
    expect(page.locator("#moving")).to_contain_text("Not shipped, because stock could not apply its event.")
    expect(page.locator("#moving")).to_contain_text("confirmed, but never reserved")
    page.get_by_role("button", name="Replay at stock").click()
    expect(page.locator("#moving")).not_to_contain_text("Not shipped")


def test_a_timeline_shows_every_step_and_moves_when_the_order_does(shop: RunningShop, opened: Open) -> None:
    order = ordered(shop, stock=1)
    page = staff(shop, opened).page
    page.goto(f"/console/orders/{order}")
    steps = page.locator("#fall-panel ol > li")
    for says in ("Place the order", "Reserve all lines or none", "Outbox: order.confirmed", "Listener: take the units"):
        expect(steps.filter(has_text=says)).to_have_count(1)
    expect(steps.filter(has_text="off sale")).to_have_count(1)
    expect(page.locator("#live")).to_contain_text("Live")
    steps.first.locator("summary").click()
    shop.call("POST", f"/orders/{order}/fulfil", shop.staff).raise_for_status()
    expect(steps.filter(has_text="Fulfilled by")).to_have_count(1)
    expect(steps.first.locator("details")).to_have_attribute("open", "")


def test_an_order_is_found_by_its_number_and_fulfilled(shop: RunningShop, opened: Open) -> None:
    order = ordered(shop)
    page = staff(shop, opened).page
    page.get_by_role("searchbox").fill(short(order).lower())
    page.get_by_role("searchbox").press("Enter")
    page.wait_for_url(f"**/console/orders/{order}")
    page.get_by_role("button", name="Fulfil the order").click()
    expect(page.get_by_text(re.compile("^Fulfilled$")).first).to_be_visible()
    assert shop.call("GET", f"/orders/{order}", shop.staff).json()["status"] == "fulfilled"


@pytest.mark.parametrize("query", ["q=nobody", "day=2001-01-01", "product=987654321"])
def test_what_no_order_is_like_is_said(shop: RunningShop, opened: Open, query: str) -> None:
    page = staff(shop, opened).page
    page.goto(f"/console/orders?{query}")
    expect(page.locator("main")).to_contain_text("No order is like that.")


@pytest.mark.parametrize(
    "query", ["day=0001-01-01", "day=9999-12-31", "day=soon", "product=0", "product=tea", "status=x"]
)
def test_a_filter_that_is_none_filters_nothing(shop: RunningShop, opened: Open, query: str) -> None:
    ordered(shop)
    page = staff(shop, opened).page
    page.goto(f"/console/orders?{query}")
    expect(page.locator("#rows tr").first).to_be_visible()


def test_many_orders_are_fulfilled_at_once(shop: RunningShop, opened: Open) -> None:
    orders = [ordered(shop) for _ in range(2)]
    page = staff(shop, opened).page
    page.goto("/console/orders")
    for order in orders:
        page.get_by_label(f"Choose order {short(order)}").check()
    page.get_by_role("button", name="Fulfil the chosen").click()
    page.wait_for_url("**/console/orders?done=2")
    assert {shop.call("GET", f"/orders/{order}", shop.staff).json()["status"] for order in orders} == {"fulfilled"}


def test_many_orders_are_cancelled_after_a_question(shop: RunningShop, opened: Open) -> None:
    orders = [ordered(shop) for _ in range(2)]
    page = staff(shop, opened).page
    page.goto("/console/orders")
    for order in orders:
        page.get_by_label(f"Choose order {short(order)}").check()
    for answer, status in (("Keep them", "confirmed"), ("Cancel them", "cancelled")):
        page.get_by_role("button", name="Cancel the chosen").click()
        page.get_by_role("button", name=answer).click()
        expect(page.get_by_role("button", name=answer)).not_to_be_visible()
        assert {shop.call("GET", f"/orders/{order}", shop.staff).json()["status"] for order in orders} == {status}


def test_events_come_by_themselves_with_what_each_listener_did(shop: RunningShop, opened: Open) -> None:
    page = staff(shop, opened).page
    page.goto("/console/events")
    expect(page.locator("#live")).to_contain_text("Live")
    order = ordered(shop)
    row = page.locator("#rows tr", has_text=short(order))
    expect(row).to_contain_text("order.confirmed")
    expect(row.locator("[data-th=Listeners]")).to_contain_text(re.compile(r"stock\s+[\d.]+ m?s"))


def test_events_are_found_by_their_order_and_by_their_product(shop: RunningShop, opened: Open) -> None:
    tea, name = product(shop, 2)
    placed = [str(shop.order(tea, 1).json()["id"]) for _ in range(2)]
    path = f"/stock/reservations/{placed[1]}"
    eventually(lambda: shop.call("GET", path, shop.customer).json()["state"], "committed")
    eventually(lambda: shop.product(tea)["in_stock"], False)
    shop.call("POST", f"/stock/{tea}/adjustments", shop.staff, json={"delta": 3, "reason": "delivery"})
    eventually(lambda: shop.product(tea)["in_stock"], True)
    page = staff(shop, opened).page
    for about, orders, turns in (
        (placed[0], placed[:1], 0),
        (short(placed[0]).lower(), placed[:1], 0),
        (str(tea), placed, 3),
        (name, placed, 3),
    ):
        page.goto("/console/events")
        page.get_by_label("Order or product").fill(about)
        page.get_by_role("button", name="Filter").click()
        expect(page.locator("#rows tr", has_text="order.confirmed")).to_have_count(len(orders))
        expect(page.locator("#rows tr", has_text="order.confirmed").last).to_contain_text(short(orders[0]))
        if turns:
            assert page.locator("#rows tr", has_text="stock.").count() == turns, about
    page.get_by_label("Type").select_option("stock.replenished")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#rows tr", has_text="stock.replenished")).to_have_count(2)
    expect(page.locator("#rows tr", has_text="order.confirmed")).to_have_count(0)
    page.goto("/console/events?about=nothing-like-that")
    expect(page.locator("#rows tr")).to_have_count(0)


def test_no_event_is_lost_between_two_pages_where_many_were_recorded_together(
    shop: RunningShop, browser: Browser
) -> None:
    together = [OrderFulfilled(uuid4(), 1) for _ in range(60)]
    beside_the_shop(shop.settings, "order", lambda session: record(session, together))
    browser.see("/shop/sign-in")
    browser.send("/shop/sign-in", username=appoint(shop, Role.STAFF), password=PASSWORD)
    page = browser.see("/console/events?type=ecshop.order.fulfilled.v1")
    seen = re.findall(r'class="id" href="/console/orders/(.+?)"', page)
    while older := re.search(r'href="([^"]+)" rel="next"', page):
        page = browser.see(unescape(older[1]))
        seen += re.findall(r'class="id" href="/console/orders/(.+?)"', page)
    assert len(set(seen)) == len(seen)
    assert {event.subject for event in together} <= set(seen)


def test_events_are_found_by_how_their_listeners_stand(shop: RunningShop, opened: Open) -> None:
    event_id, fine = given_up(shop, ordered(shop)), ordered(shop)
    page = staff(shop, opened).page
    page.goto("/console/events")
    page.get_by_label("Listeners").select_option("Given up on")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(f"#event-{event_id}")).to_contain_text("gave up")
    expect(page.locator("#rows tr", has_text=short(fine))).to_have_count(0)
    page.get_by_label("Listeners").select_option("Waiting")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(f"#event-{event_id}")).to_have_count(0)
    shop.call("POST", f"/events/stock/dead-letters/{event_id}/replay", shop.staff).raise_for_status()


def test_a_product_is_added_and_changed_with_its_price_as_people_write_it(shop: RunningShop, opened: Open) -> None:
    page, name = staff(shop, opened).page, f"Kettle {uuid4()}"
    page.goto("/console/products/new")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Currency").fill("EUR")
    for wrong in ("12.345", "much", "-1"):
        page.get_by_label("Price").fill(wrong)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing was changed")
        expect(page.get_by_label("Name")).to_have_value(name)
    page.get_by_label("Price").fill("12.50")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/console/products/\d+$"))
    path = "/products/" + page.url.rpartition("/")[2]
    assert shop.call("GET", path).json()["price"] == 1250
    page.get_by_label("Customers may buy it").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Customers may buy it")).not_to_be_checked()
    assert shop.call("GET", path).json()["status"] is False


def test_an_admin_gives_roles_and_disables_accounts(shop: RunningShop, opened: Open) -> None:
    name = appoint(shop, Role.CUSTOMER)
    page = staff(shop, opened).page
    page.goto(f"/console/users?q={name}")
    page.get_by_label(f"Role of {name}").select_option("staff")
    page.get_by_role("button", name=re.compile(f"Change.*{name}")).click()
    expect(page.locator("tbody [data-th=Role]")).to_have_text("Staff")
    page.get_by_role("button", name=re.compile(f"Disable.*{name}")).click()
    expect(page.locator("tbody [data-th=State]")).to_contain_text("disabled")
    assert shop.call("POST", "/auth/login", data={"username": name, "password": PASSWORD}).status_code == 403


def test_an_admin_ends_somebodys_session(shop: RunningShop, opened: Open) -> None:
    name, customer = appoint(shop, Role.CUSTOMER), opened(user_agent="A phone")
    form = customer.see("/shop/sign-in").locator("form[action='/shop/sign-in']")
    form.locator("[name=username]").fill(name)
    form.locator("[name=password]").fill(PASSWORD)
    form.get_by_role("button").click()
    customer.page.wait_for_url(lambda url: "/sign-" not in url)
    page = staff(shop, opened).page
    page.goto(f"/console/users?q={name}")
    page.get_by_role("link", name=name, exact=True).click()
    page.wait_for_url("**/console/users/*")
    page.get_by_role("button", name=re.compile("End it.*A phone")).click()
    expect(page.get_by_text("Signed in nowhere.")).to_be_visible()
    eventually(lambda: "/sign-in" in customer.see("/shop/account").url, True)


@pytest.mark.parametrize("shop", ["together"], indirect=True)
@pytest.mark.parametrize(("language", "theme"), [("en-GB", "dark"), ("ja-JP", "light")])
def test_every_page_of_the_console_is_accessible_and_fits_a_phone(
    shop: RunningShop, opened: Open, language: str, theme: str
) -> None:
    event_id = given_up(shop, order := ordered(shop, stock=1))
    [customer] = shop.call("GET", f"/users?q={appoint(shop, Role.CUSTOMER)}", shop.staff).json()["items"]
    person = staff(shop, opened, locale=language, color_scheme=theme, **PHONE)
    for path in (
        *PAGES,
        f"/console/orders/{order}",
        f"/console/dead-letters/stock/{event_id}",
        "/console/stock/1",
        "/console/products/1",
        f"/console/users/{customer['id']}",
    ):
        page = person.see(path)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert person.violations() == [], path
        assert not person.is_wider_than_its_window(), path
    shop.call("POST", f"/events/stock/dead-letters/{event_id}/replay", shop.staff).raise_for_status()


def test_the_console_works_without_javascript(shop: RunningShop, opened: Open) -> None:
    order = ordered(shop)
    page = staff(shop, opened, java_script_enabled=False).page
    page.goto(f"/console/orders/{order}")
    expect(page.locator("#live a")).to_be_visible()
    page.get_by_role("button", name="Cancel the order").click()
    assert shop.call("GET", f"/orders/{order}", shop.staff).json()["status"] == "cancelled"

"""Staff find whatever they have a word of, in one field."""

from __future__ import annotations

from uuid import uuid4

from playwright.sync_api import Page, expect

from ecshop.kernel.identity import Role
from tests.browser.conftest import product
from tests.browser.staff import Open, appoint, ordered, short, staff
from tests.shops import RunningShop


def find(page: Page, text: str) -> None:
    field = page.get_by_role("searchbox")
    field.fill(text)
    field.press("Enter")


def test_an_order_is_found_by_its_id_by_the_end_of_it_and_by_its_trace(shop: RunningShop, opened: Open) -> None:
    trace_id = uuid4().hex
    ordering = shop.order(product(shop, 3)[0], 1, traceparent=f"00-{trace_id}-00f067aa0ba902b7-01")
    order = str(ordering.json()["id"])
    page = staff(shop, opened).page
    for text in (order, f" {short(order).lower()} ", trace_id):
        find(page, text)
        page.wait_for_url(f"**/console/orders/{order}")
        page.goto("/console")


def test_an_event_is_found_by_its_id(shop: RunningShop, opened: Open) -> None:
    order = ordered(shop)
    event = shop.call("GET", f"/orders/{order}/timeline", shop.staff).json()["confirmed_event"]
    page = staff(shop, opened).page
    find(page, event)
    page.wait_for_url(f"**/console/events?about={event}")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows")).to_contain_text(short(order))


def test_a_product_is_found_by_its_number_before_those_that_have_it_in_their_names(
    shop: RunningShop, opened: Open
) -> None:
    tea, _ = product(shop, 3)
    shop.new_product(name=f"{tea} leaves")
    page = staff(shop, opened).page
    find(page, str(tea))
    found = page.get_by_role("region", name="Products").locator("li a[href^='/console/products/']")
    expect(found.first).to_have_attribute("href", f"/console/products/{tea}")
    assert found.count() > 1


def test_a_product_that_alone_has_a_name_is_opened(shop: RunningShop, opened: Open) -> None:
    tea, name = product(shop, 3)
    page = staff(shop, opened).page
    find(page, name[-12:])
    page.wait_for_url(f"**/console/products/{tea}")


def test_a_name_that_several_have_lists_them_all(shop: RunningShop, opened: Open) -> None:
    name = appoint(shop, Role.CUSTOMER)
    _, tea = product(shop, 3, detail=name)
    page = staff(shop, opened).page
    find(page, name)
    main = page.locator("main")
    expect(main.get_by_role("link", name=tea, exact=True)).to_be_visible()
    main.get_by_role("link", name=name, exact=True).click()
    page.wait_for_url("**/console/orders?user=*")
    expect(page.locator("main")).to_contain_text(f"Of {name} only.")


def test_what_nothing_is_like_is_said_with_what_can_be_found(shop: RunningShop, opened: Open) -> None:
    page = staff(shop, opened).page
    for text in ("nothing of that name", "0" * 32, "FFFF-0000", "987654321987", "0" * 20 + "9" * 20):
        find(page, text)
        expect(page.get_by_role("status")).to_contain_text("Nothing is like that.")

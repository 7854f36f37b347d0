"""Pages that move: what they say of themselves, and what they do when they cannot."""

from __future__ import annotations

import time
from contextlib import ExitStack
from uuid import UUID

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Browser, order_now, product
from tests.browser.staff import Open, staff
from tests.shops import RunningShop


def first_id(browser: Browser, path: str, **headers: str) -> tuple[str, str]:
    """Of the first message of a stream, and its text."""
    lines: list[str] = []
    with browser.stream(path, **headers) as stream:
        for line in stream.iter_lines():
            if not line:
                break
            lines.append(line)
    [id_] = [line.removeprefix("id: ") for line in lines if line.startswith("id: ")] or [""]
    return id_, "\n".join(lines)


def test_a_page_that_comes_back_and_has_missed_nothing_hears_nothing_twice(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    path = f"/shop/products/{tea}/live"
    id_, told = first_id(browser, path)
    assert 'hx-target="#stock"' in told
    _, again = first_id(browser, path, **{"last-event-id": id_})
    assert ("Live" in again, "#stock" in again) == (True, False)
    shop.order(tea, 5).raise_for_status()
    _, changed = first_id(browser, path, **{"last-event-id": id_})
    assert "#stock" in changed


def test_a_page_moves_however_late_its_scripts_come(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 8)
    page = opened().page

    def late(route: Route) -> None:
        time.sleep(0.5)
        route.continue_()

    page.route("**/static/hx-sse*", late)
    page.goto(f"/shop/products/{tea}")
    expect(page.locator("#live")).to_have_text("Live")
    shop.order(tea, 6).raise_for_status()
    expect(page.locator("#stock")).to_contain_text("2 left")


def test_a_page_of_a_product_that_is_deleted_says_so_and_rests(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 8)
    page = opened().see(f"/shop/products/{tea}")
    expect(page.locator("#live")).to_have_text("Live")
    shop.call("DELETE", f"/products/{tea}", shop.staff).raise_for_status()
    expect(page.locator("#stock")).to_contain_text("Off sale")
    expect(page.locator("#quantity")).to_have_count(0)
    browser = Browser(shop)
    browser.see(f"/shop/products/{tea}/live")
    assert browser.page.status_code == 404
    browser.close()


def test_pages_move_though_the_one_that_was_opened_first_is_closed(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 8)
    first, second = opened(), opened()
    for person in (first, second):
        expect(person.see(f"/shop/products/{tea}").locator("#live")).to_have_text("Live")
    first.page.goto("about:blank")
    shop.order(tea, 6).raise_for_status()
    expect(second.page.locator("#stock")).to_contain_text("2 left")


def test_a_page_more_than_may_move_stays_as_it_is_and_says_so(shop: RunningShop, opened: Open) -> None:
    tea, name = product(shop, 5)
    person = opened()
    person.see("/shop/sign-in")
    person.sign_up(f"many-{name[-12:]}")
    person.see(f"/shop/products/{tea}")
    person.press("Order now")
    person.page.wait_for_url("**/shop/orders/*")
    browser = Browser(shop)
    browser._jar.update({one["name"]: one["value"] for one in person.page.context.cookies()})
    path = person.page.url.removeprefix(str(browser._base))
    with ExitStack() as stack:
        person.page.goto("about:blank")
        others = [stack.enter_context(browser.stream(f"{path}/live")).iter_lines() for _ in range(10)]
        assert all("hx-partial" in next(lines) for lines in others)
        person.see(path)
        expect(person.page.locator("#live")).to_contain_text("This page does not move right now.")
        expect(person.page.get_by_role("heading", name="Thank you. It is yours.")).to_be_visible()
    person.complaints.clear()  # the browser itself tells of the refusal
    browser.close()


def test_a_page_of_the_console_says_that_its_session_has_ended(shop: RunningShop, opened: Open) -> None:
    person = staff(shop, opened)
    page = person.see("/console/events")
    expect(page.locator("#live")).to_contain_text("Live")
    cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    shop.call("POST", "/auth/logout", cookies["__Host-access"]).raise_for_status()
    expect(page.locator("#live")).to_contain_text("You were signed out.", timeout=15_000)
    expect(page.locator("#live").get_by_role("link", name="Sign in")).to_have_attribute(
        "href", "/shop/sign-in?next=%2Fconsole%2Fevents"
    )


@pytest.mark.parametrize("page", ["/console", "/console/events", "/console/break", f"/console/orders/{UUID(int=7)}"])
def test_a_stream_of_the_console_tells_strangers_to_sign_in_and_nothing_else(browser: Browser, page: str) -> None:
    _, told = first_id(browser, f"{page}/live")
    assert (told.count("hx-partial hx-target"), "You were signed out." in told) == (1, True)


def test_a_place_that_is_none_is_no_stream_whatever_its_address_ends_with(browser: Browser) -> None:
    browser.see("/shop/nothing/live")
    assert (browser.page.status_code, browser.page.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_the_shelf_stays_sorted_when_it_is_filtered(shop: RunningShop, opened: Open) -> None:
    product(shop, 5)
    page = opened().see("/")
    page.get_by_label("Sorted by").select_option("-price")
    page.wait_for_url("**/?*sort=-price*")
    page.get_by_label("In stock only").check()
    page.wait_for_url("**/?*in_stock=1*")
    assert "sort=-price" in page.url
    page.get_by_label("Sorted by").select_option("")
    page.wait_for_url(lambda url: "sort=-price" not in url)
    page.get_by_label("In stock only").uncheck()
    page.wait_for_url(lambda url: "in_stock=1" not in url)
    assert "sort=-price" not in page.url


def test_who_signs_in_again_comes_back_to_the_list_as_it_was_filtered(shop: RunningShop, browser: Browser) -> None:
    browser.see("/console/orders?status=confirmed&day=2026-11-27")
    assert browser.page.request.url.params["next"] == "/console/orders?status=confirmed&day=2026-11-27"


def test_who_signs_in_again_comes_back_to_the_page_of_the_form(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    browser.sign_up()
    order_now(browser, tea)
    place, token = browser.path, browser.cookies["__Host-form"]
    browser._jar = {"__Host-form": token}
    for referer, comes_to in ((f"{browser._base}{place}", place), ("https://elsewhere.example/x", "/shop/basket")):
        answer = browser.post(f"{place}/cancel", {"form_token": token}, referer=referer, origin=browser._base)
        assert answer.status_code == 303
        assert comes_to.replace("/", "%2F") in answer.headers["location"]

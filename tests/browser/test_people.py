"""People at real browsers: what they click, see and hear of."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect

from bench.server import running
from entrypoints.contexts import NAMES
from entrypoints.local.ports import free_port
from tests.browser.chromium import Person
from tests.browser.conftest import product
from tests.shops import RunningShop
from tests.waiting import eventually

Open = Callable[..., Person]
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
DESK = {"viewport": {"width": 1440, "height": 900}}


def name() -> str:
    return f"u{uuid4()}"[:30]


def order_now(person: Person, product_id: int) -> str:
    """Somebody who is signed in; returns the order's id."""
    person.see(f"/shop/products/{product_id}")
    person.press("Order now")
    person.page.wait_for_url("**/shop/orders/*")
    return person.page.url.rpartition("/")[2]


def signed_up(opened: Open, **window: object) -> Person:
    person = opened(**window)
    person.see("/shop/sign-in")
    person.sign_up(name())
    return person


def test_somebody_finds_orders_and_sees_it_move(shop: RunningShop, opened: Open) -> None:
    tea, called = product(shop, 100, picture="sencha.svg")
    person = opened(**DESK)
    person.see("/").get_by_label("Search the shop").fill(called)
    person.press("Search")
    person.press("Add to basket")
    expect(person.page.locator("#basket-count")).to_contain_text("1")
    person.page.get_by_role("link", name="Basket").click()
    quantity = person.page.get_by_label("Quantity")
    quantity.fill("3")
    quantity.press("Tab")
    expect(person.page.locator(".sums .total").last).to_have_text("\u00a53,600")
    person.page.locator(".slip").get_by_role("button", name="Order").click()
    person.sign_up(name())
    person.page.locator(".slip").get_by_role("button", name="Order").click()
    expect(person.page.get_by_role("heading", name="Thank you. It is yours.")).to_be_visible()
    expect(person.page.locator("#live")).to_have_text("Live")
    expect(person.page.locator("#step-taken[data-state=ok] time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    placed = person.page.url.rpartition("/")[2]
    shop.call("POST", f"/orders/{placed}/fulfil", shop.staff).raise_for_status()
    expect(person.page.locator("#step-fulfilled[data-state=ok]")).to_be_visible()
    expect(person.page.get_by_role("button", name="Cancel the order")).to_have_count(0)
    expect(person.page.locator("#live")).to_be_empty()
    assert shop.units(tea) == (97, 0)


def test_an_order_is_cancelled_after_a_question(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 5)
    person = signed_up(opened)
    person.see(f"/shop/products/{tea}")
    person.press("Add to basket")
    expect(person.page.locator("#basket-count")).to_contain_text("1")
    person.see("/shop/basket").locator(".slip").get_by_role("button", name="Order").click()
    expect(person.page.locator("#step-taken[data-state=ok]")).to_be_visible()
    person.page.once("dialog", lambda asked: asked.dismiss())
    person.press("Cancel the order")
    expect(person.page.get_by_text("This order was cancelled.")).to_have_count(0)
    person.page.once("dialog", lambda asked: asked.accept())
    person.press("Cancel the order")
    expect(person.page.get_by_text("This order was cancelled.").first).to_be_visible()
    eventually(lambda: shop.units(tea), (5, 0))


def test_of_two_who_want_the_last_one_one_gets_it_and_the_other_reads_why_not(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 1)
    first, second = signed_up(opened), signed_up(opened)
    second.see(f"/shop/products/{tea}")
    second.press("Add to basket")
    expect(second.page.locator("#basket-count")).to_contain_text("1")
    second.see("/shop/basket")
    order_now(first, tea)
    expect(first.page.locator("#steps")).to_contain_text("is sold out now")
    second.page.locator(".slip").get_by_role("button", name="Order").click()
    alert = second.page.get_by_role("alert")
    expect(alert).to_contain_text("Nothing was ordered.")
    expect(second.page.locator(f"#problem-{tea}")).to_contain_text("Sold out.")
    expect(second.see("/").locator("main")).to_be_visible()


def test_a_product_page_moves_as_others_buy(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 8)
    first, second = signed_up(opened), opened()
    page = second.see(f"/shop/products/{tea}")
    page.locator("#quantity").fill("7")
    expect(page.locator("#stock")).to_contain_text("In stock")
    order = shop.order(tea, 6).raise_for_status().json()["id"]
    expect(page.locator("#stock")).to_contain_text("2 left")
    expect(page.locator("#quantity")).to_have_value("7")
    order_now(first, tea)
    order_now(first, tea)
    expect(page.locator("#stock")).to_contain_text("Sold out")
    expect(page.locator("#quantity")).to_have_count(0)
    shop.call("POST", f"/orders/{order}/cancel", shop.customer).raise_for_status()
    expect(page.get_by_role("button", name="Order now")).to_be_visible()


def test_an_order_is_placed_by_the_keyboard_alone(shop: RunningShop, opened: Open) -> None:
    tea, called = product(shop, 5)
    person = signed_up(opened)
    page = person.see(f"/?q={called}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_role("link", name=called).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/shop/products/{tea}")
    page.get_by_label("Quantity").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Add to basket").first).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/shop/orders/*")


def test_the_shelf_changes_with_its_filter_and_the_back_button_brings_it_back(shop: RunningShop, opened: Open) -> None:
    category = shop.new_category()
    _, called = product(shop, 5, category_id=category)
    person = opened(**DESK)
    page = person.see("/")
    page.locator(f"input[name=category][value='{category}']").check()
    page.wait_for_url(re.compile(rf"category={category}"))
    expect(page.locator(".card")).to_have_count(1)
    page.get_by_role("link", name=called).click()
    page.wait_for_url("**/shop/products/*")
    page.go_back()
    page.wait_for_url(re.compile(rf"category={category}"))
    expect(page.locator(".card")).to_have_count(1)


def test_without_scripts_an_order_can_be_placed_all_the_same(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 5)
    person = signed_up(opened, java_script_enabled=False)
    order_now(person, tea)
    expect(person.page.get_by_role("link", name="Load it again")).to_be_visible()
    expect(person.page.locator("#live")).to_have_text("Load again")


def test_a_session_that_ends_while_a_page_is_open_asks_to_sign_in_again(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 5)
    person = signed_up(opened)
    person.see(f"/shop/products/{tea}")
    person.page.context.clear_cookies(name=re.compile("access|session"))
    person.press("Order now")
    person.page.wait_for_url(re.compile("/shop/sign-in"))
    assert shop.units(tea) == (5, 0)
    person.sign_up(name())
    expect(person.page.locator(f"#line-{tea}")).to_be_visible()


def test_an_open_page_goes_on_when_the_shop_was_away(engine: Chromium, tmp_path: Path) -> None:
    up = ("ecshop", "up", "--port", str(free_port()))
    with running(tmp_path, *up, contexts=NAMES) as server:
        shop = RunningShop(server)
        tea = shop.new_product(stock=5)
        person = Person(engine, server.url("order"))
        person.see("/shop/sign-in")
        person.sign_up(name())
        placed = order_now(person, tea)
        expect(person.page.locator("#live")).to_have_text("Live")
        server.process.send_signal(signal.SIGSTOP)
        expect(person.page.get_by_text("Live", exact=True)).to_be_hidden()
        server.process.send_signal(signal.SIGCONT)
        expect(person.page.get_by_text("Live", exact=True)).to_be_visible()
        shop.close()
    with running(tmp_path, *up, contexts=NAMES) as server:
        shop = RunningShop(server)
        shop.call("POST", f"/orders/{placed}/fulfil", shop.staff).raise_for_status()
        expect(person.page.locator("#step-fulfilled[data-state=ok]")).to_be_visible(timeout=30_000)
        shop.close()
    person.close()


@pytest.mark.parametrize("shop", ["together"], indirect=True)
@pytest.mark.parametrize(
    ("locale", "window", "scheme"),
    [("en-GB", PHONE, "light"), ("ja-JP", PHONE, "dark"), ("en-GB", DESK, "dark"), ("ja-JP", DESK, "light")],
)
def test_everybody_can_use_every_page(
    shop: RunningShop, opened: Open, locale: str, window: dict[str, object], scheme: str
) -> None:
    (tea, _), (few, _) = product(shop, 100, picture="teapot.svg"), product(shop, 2)
    person = opened(locale=locale, color_scheme=scheme, **window)
    person.see("/shop/sign-in")
    assert person.violations() == []
    form = person.page.locator("form[action='/shop/sign-up']")
    form.locator("[name=user_name]").fill(name())
    form.locator("[name=password]").fill("correct horse battery")
    form.get_by_role("button").click()
    person.page.wait_for_url("**/")
    person.see(f"/shop/products/{few}").locator("#quantity").fill("5")
    person.page.locator("form[action='/shop/basket/lines'] button").first.click()
    expect(person.page.locator("#basket-count")).to_contain_text("1")
    person.see(f"/shop/products/{tea}").locator("button[formaction]").click()
    person.page.wait_for_url("**/shop/orders/*")
    placed = person.page.url
    for path in (
        "/",
        f"/shop/products/{tea}",
        "/shop/basket",
        placed,
        "/shop/orders",
        "/shop/account",
        "/shop/nothing",
    ):
        person.see(path)
        assert person.violations() == [], path
        assert not person.is_wider_than_its_window(), path

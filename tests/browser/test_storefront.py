"""The shop as somebody without JavaScript sees it, against a real server."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from tests.browser.conftest import PASSWORD, Browser, order_id, order_now, product
from tests.shops import RunningShop
from tests.waiting import eventually


def test_the_shelf_shows_what_there_is_and_finds_what_is_looked_for(shop: RunningShop, browser: Browser) -> None:
    tea, name = product(shop, 100)
    shelf = browser.see(f"/?q={name}")
    assert f'href="/shop/products/{tea}"' in shelf
    assert "In stock" in shelf
    assert "\u00a51,200" in shelf
    assert "Nothing found." in browser.see(f"/?q={uuid4()}")


def test_the_shelf_is_filtered_and_sorted_and_turned_page_by_page(shop: RunningShop, browser: Browser) -> None:
    category = shop.new_category()
    names = [product(shop, 1, category_id=category, price=price)[1] for price in range(100, 130)]

    def shown() -> list[str]:
        return re.findall(r"<h2>(Tea [0-9a-f-]{36})</h2>", browser.page.text)

    browser.see(f"/?category={category}&sort=-price")
    assert shown() == names[:5:-1]
    [following] = re.findall(r'href="(/\?[^"]+)" rel="next"', browser.page.text)
    browser.see(following.replace("&amp;", "&"))
    assert shown() == names[5::-1]
    browser.see(f"/?category={category}&from=103&to=1,05&utm_source=x&sort=price")
    assert shown() == names[3:6]


@pytest.mark.parametrize(
    "query", ["category=tea", "from=-1&to=x", "sort=colour", "q=%00", "q=%ff", "in_stock=", "q=" + "x" * 500]
)
def test_what_cannot_be_meant_is_left_out(browser: Browser, query: str) -> None:
    browser.see(f"/?{query}")
    assert browser.page.status_code == 200


def test_a_basket_survives_the_sign_in_and_becomes_an_order(shop: RunningShop, browser: Browser) -> None:
    (tea, name), (pot, _) = product(shop, 10), product(shop, 10)
    for one, quantity in ((tea, 2), (pot, 1), (tea, 1)):
        browser.see(f"/shop/products/{one}")
        browser.send("/shop/basket/lines", quantity=str(quantity))
    assert browser.path == "/shop/basket"
    assert name in browser.page.text
    assert "\u00a54,800" in browser.page.text
    browser.send("/shop/basket/order")
    assert browser.path == "/shop/sign-in"
    browser.send("/shop/sign-up", user_name=f"u{uuid4()}"[:30], password=PASSWORD)
    assert browser.path == "/shop/basket"
    page = browser.send("/shop/basket/order")
    placed = order_id(browser)
    assert "Thank you. It is yours." in page
    told = shop.call("GET", f"/orders/{placed}", shop.staff).json()
    assert sorted((line["product_id"], line["quantity"]) for line in told["lines"]) == [(tea, 3), (pot, 1)]
    assert "Nothing is in your basket yet." in browser.see("/shop/basket")
    assert placed in browser.see("/shop/orders")
    eventually(lambda: shop.units(tea), (7, 0))


def test_a_form_that_is_sent_twice_orders_once(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 10)
    browser.sign_up()
    page = browser.see(f"/shop/products/{tea}")
    fields = dict(re.findall(r'name="(form_token|idempotency_key)" value="([^"]+)"', page))
    sent = {**fields, "product_id": str(tea), "quantity": "1"}
    first, second = (browser.post("/shop/basket/now", sent).headers["location"] for _ in range(2))
    assert first == second
    eventually(lambda: shop.units(tea), (9, 0))


def test_too_few_and_sold_out_are_told_at_the_line_with_what_is_left(shop: RunningShop, browser: Browser) -> None:
    (few, _), (gone, _) = product(shop, 2), product(shop, 1)
    browser.sign_up()
    for one in (few, gone):
        browser.see(f"/shop/products/{one}")
        browser.send("/shop/basket/lines", quantity="5" if one == few else "1")
    assert shop.order(gone, 1).status_code == 201
    eventually(lambda: shop.product(gone)["status"], False)
    basket = browser.see("/shop/basket")
    for says in ("2 left.", "You asked for 5.", "Take the 2 that are left", "Sold out.", "Take what is left and order"):
        assert says in basket
    browser.send("/shop/basket/order", button="take=left")
    told = shop.call("GET", f"/orders/{order_id(browser)}", shop.staff).json()
    assert [(line["product_id"], line["quantity"]) for line in told["lines"]] == [(few, 2)]


def test_whoever_comes_too_late_reads_that_nothing_was_ordered(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 1)
    browser.sign_up()
    browser.see(f"/shop/products/{tea}")
    browser.send("/shop/basket/lines", quantity="1")
    assert shop.order(tea, 1).status_code == 201
    page = browser.send("/shop/basket/order")
    assert browser.page.status_code == 422
    assert "Nothing was ordered." in page
    assert shop.stock(tea)["reserved"] <= 1


def test_a_price_that_has_changed_is_shown_before_it_is_paid(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    browser.sign_up()
    browser.see(f"/shop/products/{tea}")
    browser.send("/shop/basket/lines")
    shop.call("PUT", f"/products/{tea}", shop.staff, json={"price": 1500}).raise_for_status()
    page = browser.send("/shop/basket/order")
    assert "A price has changed. Nothing was ordered." in page
    assert "\u00a51,500" in page
    browser.send("/shop/basket/order")
    assert order_id(browser)


def test_an_order_is_cancelled_by_whose_it_is_until_it_is_fulfilled(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    browser.sign_up()
    for is_fulfilled in (False, True):
        order_now(browser, tea)
        placed = order_id(browser)
        if is_fulfilled:
            shop.call("POST", f"/orders/{placed}/fulfil", shop.staff).raise_for_status()
        page = browser.send(f"/shop/orders/{placed}/cancel")
        says = "Only a confirmed order can be cancelled" if is_fulfilled else "This order was cancelled."
        assert says in page
    assert "Fulfilled" in browser.see(f"/shop/orders/{placed}")


def test_somebody_elses_order_is_not_there(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    placed = shop.order(tea, 1).json()["id"]
    browser.sign_up()
    page = browser.see(f"/shop/orders/{placed}")
    assert browser.page.status_code == 404
    assert "Nothing is here" in page


def test_signing_out_ends_the_session_and_signing_in_begins_another_one(browser: Browser) -> None:
    name = browser.sign_up()
    assert name in browser.see("/shop/account")
    kept = browser.cookies
    browser.send("/shop/sign-out")
    assert "Sign in" in browser.page.text
    assert not {"__Host-access", "__Host-session"} & browser.cookies.keys()
    browser._jar |= kept
    browser.see("/shop/account")
    eventually(lambda: "Sign in" in browser.see("/shop/account"), True)
    browser.see("/shop/sign-in?next=/shop/account")
    page = browser.send("/shop/sign-in", username=name, password="wrong")
    assert browser.page.status_code == 422
    assert "do not belong together" in page
    assert f'value="{name}"' in page
    browser.send("/shop/sign-in", username=name, password=PASSWORD)
    assert browser.path == "/shop/account"


def test_a_name_that_is_taken_and_a_password_that_is_too_short_are_told_at_their_fields(browser: Browser) -> None:
    name = browser.sign_up()
    browser.see("/shop/sign-in")
    assert "This name is taken." in browser.send("/shop/sign-up", user_name=name, password=PASSWORD)
    page = browser.send("/shop/sign-up", user_name=f"{name}2", password="short")
    assert 'id="new-pass-error"' in page


def test_a_password_is_changed_by_who_knows_it(browser: Browser) -> None:
    browser.sign_up()
    browser.see("/shop/account")
    page = browser.send("/shop/password", current_password="wrong", new_password="battery staple")
    assert re.search(
        r'aria-describedby="current-error".*id="current-error">The current password is another one', page, re.S
    )
    page = browser.send("/shop/password", current_password=PASSWORD, new_password="short")
    assert re.search(r'aria-describedby="new-error".*id="new-error">Write 8 to', page, re.S)
    page = browser.send("/shop/password", current_password=PASSWORD, new_password="another battery")
    assert "The password was changed." in page


def test_a_page_is_in_the_language_of_its_reader(shop: RunningShop, browser: Browser) -> None:
    assert '<html lang="en">' in browser.see("/")
    browser.send("/shop/settings", language="ja", theme="dark")
    assert '<html lang="ja" data-theme="dark">' in browser.see("/")
    japanese = Browser(shop, "ja-JP,ja;q=0.9")
    assert "\u3059\u3079\u3066\u306e\u5546\u54c1" in japanese.see("/")
    japanese.close()


@pytest.mark.parametrize(
    ("language", "says"), [("en", "Write 8 to 256 characters."), ("ja", "8〜256文字で入力してください。")]
)
def test_a_sign_up_says_what_is_wrong_in_the_language_of_the_page(shop: RunningShop, language: str, says: str) -> None:
    browser = Browser(shop, language)
    browser.see("/shop/sign-in")
    assert says in browser.send("/shop/sign-up", user_name="aoi", password="short")
    assert browser.page.status_code == 422
    browser.close()

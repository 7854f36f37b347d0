"""Staff at what the shop shows: words, prices, pictures."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Browser, product
from tests.browser.staff import Open, staff
from tests.images import image, noise
from tests.shops import RunningShop


def photo(content: bytes, name: str = "photo.jpg") -> Any:
    return {"name": name, "mimeType": "image/jpeg", "buffer": content}


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").click()


def test_a_picture_is_sent_in_with_the_rest_and_seen_in_the_shop(shop: RunningShop, opened: Open) -> None:
    cup, name = product(shop, 3)
    person = staff(shop, opened)
    page = person.see(f"/console/products/{cup}")
    page.get_by_label("Price").fill("980")
    page.get_by_label("Picture").set_input_files(photo(image("JPEG")))
    save(page)
    expect(page.locator(".card img")).to_be_visible()
    page = person.see(f"/?q={name}")
    shown = page.get_by_role("listitem").filter(has_text=name).locator("img")
    assert shown.evaluate("one => one.complete && one.naturalWidth") == 800
    assert (shop.product(cup)["price"], person.complaints, len(person.hosts)) == (980, [], 1)
    picture = page.request.get(str(shown.get_attribute("src")))
    assert picture.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_what_is_no_picture_changes_nothing_and_says_why(shop: RunningShop, opened: Open) -> None:
    cup, _ = product(shop, 3, picture="cup.svg")
    page = staff(shop, opened).see(f"/console/products/{cup}")
    page.get_by_label("Price").fill("980")
    page.get_by_label("Picture").set_input_files(photo(b"<svg><script>alert(1)</script></svg>"))
    save(page)
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed.")
    expect(page.locator("#picture-says.error")).to_contain_text("JPEG, PNG or WebP")
    expect(page.get_by_label("Price")).to_have_value("980")
    assert (shop.product(cup)["price"], shop.product(cup)["picture"]) == (1200, "cup.svg")


def test_a_picture_may_have_8_mib_and_a_larger_one_is_told_at_its_field(shop: RunningShop, opened: Open) -> None:
    cup, _ = product(shop, 3)
    page = staff(shop, opened).see(f"/console/products/{cup}")
    page.get_by_label("Picture").set_input_files(photo(noise(8_300_000)))
    save(page)
    expect(page.locator(".card img")).to_be_visible()
    page.get_by_label("Picture").set_input_files(photo(noise(8_400_000)))
    save(page)
    expect(page.locator("#picture-says.error")).to_contain_text("8 MB")


def test_a_picture_is_taken_away(shop: RunningShop, opened: Open) -> None:
    cup, _ = product(shop, 3, picture="cup.svg")
    page = staff(shop, opened).see(f"/console/products/{cup}")
    page.get_by_label("Show none").check()
    save(page)
    expect(page.locator(".card span.picture")).to_be_visible()
    assert shop.product(cup)["picture"] is None


def test_a_product_is_made_with_its_picture_or_says_that_this_was_not_taken(shop: RunningShop, opened: Open) -> None:
    person = staff(shop, opened)
    for content, is_taken in ((image("PNG", (90, 90)), True), (b"no picture", False)):
        page = person.see("/console/products/new")
        page.get_by_label("Name").fill("A cup")
        page.get_by_label("Price").fill("1200")
        page.get_by_label("Picture").set_input_files(photo(content))
        save(page)
        expect(page.get_by_role("heading", name="A cup", level=1)).to_be_visible()
        assert page.locator("#picture-says.error").is_visible() != is_taken
        assert page.get_by_text("It was made, but its picture was not taken.").is_visible() != is_taken
        assert page.locator("#picture-says.error").count() or page.locator(".card img").is_visible()


def test_each_field_says_what_is_wrong_with_it(shop: RunningShop, opened: Open) -> None:
    cup, name = product(shop, 3)
    page = staff(shop, opened).see(f"/console/products/{cup}")
    for label, wrong, says in (
        ("Price", "6,80", "JPY has no decimals"),
        ("Name", "\u200b", "Leave out control and invisible characters."),
    ):
        kept = page.get_by_label(label).input_value()
        page.get_by_label(label).fill(wrong)
        save(page)
        expect(page.locator(".field", has=page.get_by_label(label)).locator(".error")).to_contain_text(says)
        page.get_by_label(label).fill(kept)
    assert (shop.product(cup)["price"], shop.product(cup)["name"]) == (1200, name)


def test_a_product_is_deleted_after_a_question(shop: RunningShop, opened: Open) -> None:
    cup, _ = product(shop, 3)
    person = staff(shop, opened)
    page = person.see(f"/console/products/{cup}")
    page.once("dialog", lambda asked: asked.dismiss())
    page.get_by_role("button", name="Delete the product").click()
    assert shop.product(cup)["id"] == cup
    page.once("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Delete the product").click()
    page.wait_for_url("**/console/products")
    assert shop.call("GET", f"/products/{cup}").status_code == 404
    assert person.complaints == []


def test_nobody_sees_a_picture_that_there_is_not(browser: Browser) -> None:
    browser.see("/shop/pictures/1-00000000000000000000000000000000.webp")
    assert browser.page.status_code == 404


def test_products_are_listed_with_what_the_shop_does_not_sell_now(shop: RunningShop, opened: Open) -> None:
    _, there = product(shop, 30, detail="listed")
    withdrawn, hidden = product(shop, 3, detail="listed")
    _, gone = product(shop, 0, detail="listed")
    shop.call("PUT", f"/products/{withdrawn}", shop.staff, json={"on_sale": False}).raise_for_status()
    page = staff(shop, opened).see("/console/products")
    page.get_by_label("Name or words").fill("listed")
    for state, name in (("In stock", there), ("Off sale", hidden), ("Sold out", gone)):
        page.get_by_label("State").select_option(state)
        page.get_by_role("button", name="Filter").click()
        expect(page.locator("#rows tr")).to_have_count(1)
        expect(page.locator("#rows tr")).to_contain_text(name)
        expect(page.locator("#rows tr")).to_contain_text(state)
    page.goto("/console/products?q=listed&category=none&state=none&sort=none")
    expect(page.locator("#rows tr")).to_have_count(3)


def test_a_product_that_was_made_while_its_picture_got_lost_says_so_until_it_has_one(
    shop: RunningShop, opened: Open
) -> None:
    (without, _), (cup, _) = product(shop, 3), product(shop, 3, picture="cup.svg")
    person = staff(shop, opened)
    page = person.see(f"/console/products/{without}?picture=missed")
    expect(page.get_by_role("alert")).to_contain_text("It was made, but its picture was not taken.")
    expect(page.locator("#picture-says")).to_contain_text("Choose it once more.")
    assert person.violations() == []
    expect(person.see(f"/console/products/{cup}?picture=missed").get_by_role("alert")).to_have_count(0)

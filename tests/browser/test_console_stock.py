"""Staff at the stock: counts, marks, files, and what they draw."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import product
from tests.browser.staff import Open, staff
from tests.shops import RunningShop
from tests.waiting import eventually


def test_stock_is_adjusted_with_a_reason_and_never_below_what_is_promised(shop: RunningShop, opened: Open) -> None:
    product_id, name = product(shop, 5)
    page = staff(shop, opened).page
    page.goto(f"/console/stock?q={name}")
    page.get_by_role("link", name=name).click()
    for delta, reason in (("-9", "broken"), ("0", "counted"), ("two", "counted")):
        page.get_by_label("Change by").fill(delta)
        page.get_by_label("Reason").fill(reason)
        page.get_by_role("button", name="Adjust").click()
        expect(page.locator("#delta-error")).to_be_visible()
    page.get_by_label("Change by").fill("-2")
    page.get_by_role("button", name="Adjust").click()
    expect(page.locator("tbody")).to_contain_text("counted")
    assert shop.call("GET", f"/stock/{product_id}", shop.staff).json()["stock"] == 3


def test_the_ledger_says_why_in_the_language_of_the_page_and_in_peoples_own_words(
    shop: RunningShop, opened: Open
) -> None:
    tea, _ = product(shop, 5)
    shop.order(tea, 1).raise_for_status()
    eventually(lambda: shop.units(tea), (4, 0))
    shop.call("POST", f"/stock/{tea}/adjustments", shop.staff, json={"delta": 1, "reason": "found|behind"})
    page = staff(shop, opened, locale="ja-JP").see(f"/console/stock/{tea}")
    for says in ("注文", "登録", "found|behind"):
        expect(page.locator("tbody th", has_text=says)).to_have_count(1)


def test_a_count_is_imported_as_csv_all_lines_or_none(shop: RunningShop, opened: Open) -> None:
    (first, _), (second, _) = product(shop, 5), product(shop, 5)
    page = staff(shop, opened).page
    page.goto("/console/stock/import")
    page.get_by_label("Or its lines").fill(f"product_id,on_hand\n{first},8\n{second},many\n")
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("alert")).to_contain_text("Line 3")
    assert shop.call("GET", f"/stock/{first}", shop.staff).json()["stock"] == 5
    page.get_by_label("Or its lines").fill(f"product_id,on_hand\n{first},8\n{second},0\n")
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("status")).to_contain_text("2 lines were carried out.")
    assert [shop.call("GET", f"/stock/{one}", shop.staff).json()["stock"] for one in (first, second)] == [8, 0]


def test_a_file_is_imported_with_its_low_marks(shop: RunningShop, opened: Open) -> None:
    (first, _), (second, _) = product(shop, 5), product(shop, 5)
    page = staff(shop, opened).page
    page.goto("/console/stock/import")
    counted = f"\ufeffproduct_id,name,on_hand,low_mark\r\n{first},Grüner Tee,8,9\r\n{second},緑茶,0,\r\n".encode()
    page.get_by_label("A file, in UTF-8").set_input_files({"name": "s.csv", "mimeType": "text/csv", "buffer": counted})
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("status")).to_contain_text("2 lines were carried out.")
    found = [shop.call("GET", f"/stock/{one}", shop.staff).json() for one in (first, second)]
    assert [(item["stock"], item["low_mark"]) for item in found] == [(8, 9), (0, 5)]


def test_the_stock_is_exported_as_csv(shop: RunningShop, opened: Open) -> None:
    product_id, name = product(shop, 5)
    person = staff(shop, opened)
    written = person.page.request.get("/console/stock/export.csv").text()
    assert written.splitlines()[0] == "product_id,name,on_hand,reserved,available,low_mark"
    assert f"{product_id},{name},5,0,5,5" in written.splitlines()


def test_a_low_mark_is_set_and_what_is_below_it_is_listed_and_counted(shop: RunningShop, opened: Open) -> None:
    tea, name = product(shop, 30)
    page = staff(shop, opened).page
    page.goto(f"/console/stock/{tea}")
    page.get_by_label("Low mark").fill("x")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("#mark-error")).to_contain_text("A low mark is a number of units")
    expect(page.get_by_label("Low mark")).to_have_value("x")
    page.get_by_label("Low mark").fill("30")
    page.get_by_role("button", name="Set").click()
    expect(page.locator(".tiles")).to_contain_text("low")
    page.goto("/console/stock?show=low")
    row = page.locator("tr", has_text=name)
    while not row.count():
        page.get_by_role("link", name="More products").click()
    expect(row).to_contain_text("30")
    assert shop.call("GET", f"/stock/{tea}").json()["low_stock"] is True


def test_the_history_of_a_product_is_drawn_and_the_last_hour_of_the_shop(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 10)
    shop.order(tea, 4).raise_for_status()
    person = staff(shop, opened)
    page = person.see(f"/console/stock/{tea}")
    drawn = page.get_by_role("img", name="Units on hand over time").locator("path.curve")
    expect(drawn).to_have_attribute("d", re.compile(r"^M0.0 33.33H.*V60.0H600$"))
    page = person.see("/console")
    expect(page.get_by_role("img", name="Orders in each of the last 60 minutes").locator("rect")).to_have_count(60)
    page.get_by_text("As a table").first.click()
    page.wait_for_timeout(2500)
    counted = page.get_by_role("region", name="Orders a minute, as a table").locator("tbody tr").first
    expect(counted).to_be_visible()
    assert int(counted.locator("td").inner_text().replace(",", "")) > 0

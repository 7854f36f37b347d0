"""Staff at the shelves of the shop."""

from __future__ import annotations

from uuid import uuid4

from playwright.sync_api import expect

from tests.browser.conftest import product
from tests.browser.staff import Open, staff
from tests.shops import RunningShop


def test_a_category_is_added_renamed_and_taken_away_when_it_is_empty(shop: RunningShop, opened: Open) -> None:
    page, first, second = staff(shop, opened).page, f"A {uuid4()}", f"B {uuid4()}"
    page.goto("/console/categories")
    for _ in range(2):
        page.get_by_label("New category").fill(first)
        page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Another category has this name")
    expect(page.get_by_label("New category")).to_have_value(first)
    row = page.locator("tr", has_text=first)
    row.locator("input[name=name]").fill(second)
    row.get_by_role("button", name="Rename").click()
    row = page.locator("tr", has_text=second)
    expect(row).to_be_visible()
    known = {one["name"]: one["id"] for one in shop.call("GET", "/categories?limit=100").json()["items"]}
    cup, _ = product(shop, 1, category_id=known[second])
    row.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_contain_text("move them first")
    shop.call("DELETE", f"/products/{cup}", shop.staff).raise_for_status()
    row.get_by_role("button", name="Delete").click()
    expect(page.locator("tr", has_text=second)).to_have_count(0)

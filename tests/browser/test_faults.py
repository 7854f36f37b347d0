"""An admin breaks something, and sees it heal."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import product
from tests.browser.staff import Open, staff
from tests.flows.operations import is_apart
from tests.shops import RunningShop
from tests.waiting import eventually


def test_an_event_that_is_made_to_fail_heals_before_ones_eyes(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 5)
    page = staff(shop, opened).see("/console/break")
    expect(page.locator("#live")).to_contain_text("Live")
    row = page.locator("#break-stock")
    row.get_by_role("button", name="Fail the next event").click()
    expect(row).to_contain_text("the next event fails")
    shop.order(tea, 1).raise_for_status()
    happened = page.locator("section tbody tr", has_text="order.confirmed")
    expect(happened.filter(has_text=re.compile("failed on purpose")).first).to_be_visible()
    expect(happened.filter(has_text="committed").first).to_be_visible()
    expect(row).to_contain_text("well")


def test_the_broker_is_killed_where_it_is_the_shops_own_and_the_order_arrives(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 2)
    page = staff(shop, opened).see("/console/break")
    row = page.locator("#break-broker")
    if is_apart(shop):
        row.get_by_role("button", name="Kill it").click()
        expect(page.locator("#break-stock")).to_contain_text("well")
    assert row.count() == is_apart(shop)
    shop.order(tea, 2).raise_for_status()
    eventually(lambda: shop.product(tea)["in_stock"], False, seconds=30)

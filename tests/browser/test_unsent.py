"""What was typed into a form stays where it could not be carried out."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from ecshop.kernel.identity import Role
from tests.browser.conftest import PASSWORD, Browser, product
from tests.browser.staff import Open, appoint, staff
from tests.shops import RunningShop


def test_what_was_typed_outlives_the_session(shop: RunningShop, opened: Open) -> None:
    tea, _ = product(shop, 5)
    name, person = appoint(shop, Role.STAFF), staff(shop, opened)
    page = person.see(f"/console/stock/{tea}")
    page.get_by_label("Change by").fill("+3")
    page.get_by_label("Reason").fill('found <behind> the "shelf" & counted')
    page.context.clear_cookies(name=re.compile("access|session"))
    person.press("Adjust")
    for says, password in (("What you typed stays.", "another one"), ("do not belong together", PASSWORD)):
        expect(page.get_by_role("alert")).to_contain_text(says)
        form = page.locator("form[action='/shop/sign-in']")
        form.locator("[name=username]").fill(name)
        form.locator("[name=password]").fill(password)
        form.get_by_role("button").click()
    expect(page.get_by_role("heading", name="Signed in again")).to_be_visible()
    assert person.violations() == []
    assert shop.units(tea) == (5, 0)
    person.press("Send it again")
    page.wait_for_url(f"**/console/stock/{tea}")
    expect(page.locator("tbody th", has_text='found <behind> the "shelf" & counted')).to_have_count(1)
    assert shop.units(tea) == (8, 0)


@pytest.mark.parametrize(
    "unsent",
    [
        "{}",
        "not json",
        '{"path":"https://elsewhere.example/","page":"/console","fields":{}}',
        '{"path":"/console/stock/1","page":"javascript:alert(1)","fields":{}}',
        '{"path":"//elsewhere.example/console","page":"/console","fields":{}}',
        '{"path":"/console","page":"/console","fields":{"a":1}}',
    ],
)
def test_nobody_is_made_to_send_a_form_elsewhere(shop: RunningShop, browser: Browser, unsent: str) -> None:
    browser.see("/shop/sign-in")
    page = browser.send("/shop/sign-in", username=appoint(shop, Role.STAFF), password=PASSWORD, unsent=unsent)
    assert "elsewhere.example" not in page
    assert "javascript:" not in page
    assert "Send it again" not in page
    assert (browser.page.status_code, browser.path) == (200, "/")


def test_a_form_of_another_site_is_not_kept_for_who_signs_in(shop: RunningShop, browser: Browser) -> None:
    browser.see("/shop/sign-in")
    sent = browser.post("/console/stock/1", {"delta": "-5", "reason": "mine", "form_token": "guessed"})
    assert sent.status_code == 403
    assert "mine" not in sent.text

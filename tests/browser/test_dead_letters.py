"""Events that were given up on: replayed, mended, or let go for good."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.staff import Open, given_up, ordered, staff
from tests.shops import RunningShop


def test_dead_letters_are_replayed_and_discarded_with_a_reason(shop: RunningShop, opened: Open) -> None:
    replayed, discarded = given_up(shop, ordered(shop)), given_up(shop, ordered(shop))
    page = staff(shop, opened).page
    page.goto("/console/dead-letters")
    page.get_by_label(f"Choose event {discarded}").uncheck()
    page.get_by_role("button", name="Replay the chosen").click()
    expect(page.get_by_label(f"Choose event {replayed}")).to_have_count(0)
    for none in ("", "  ", "sold\u202eby hand"):
        page.get_by_label("Reason").fill(none)
        page.get_by_role("button", name="Discard the chosen").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why they are not needed.")
        page.goto("/console/dead-letters")
    page.get_by_label("Reason").fill("sold by hand")
    page.get_by_role("button", name="Discard the chosen").click()
    expect(page.get_by_label(f"Choose event {discarded}")).to_have_count(0)
    page.goto(f"/console/audit?subject=event+{discarded}")
    expect(page.locator("tbody")).to_contain_text("dead_letter.discarded")


def test_all_dead_letters_that_the_filter_finds_are_replayed(shop: RunningShop, opened: Open) -> None:
    kept, replayed = given_up(shop, ordered(shop)), given_up(shop, ordered(shop))
    page = staff(shop, opened).page
    page.goto("/console/dead-letters")
    page.get_by_label("Listener").select_option("stock")
    page.get_by_label("Error or content").fill(replayed)
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_label(f"Choose event {kept}")).to_have_count(0)
    page.get_by_role("button", name="Replay all 1").click()
    expect(page.get_by_role("status")).to_contain_text("1 event was put back")
    expect(page.locator("main")).to_contain_text("No event that was given up on is like that.")
    page.get_by_role("link", name="See all of them").click()
    expect(page.get_by_label(f"Choose event {kept}")).to_be_visible()
    expect(page.get_by_label(f"Choose event {replayed}")).to_have_count(0)
    expect(page.locator("#rail .badge")).to_contain_text("given up")
    page.get_by_role("button", name="Replay all").click()
    expect(page.get_by_text("Every listener has applied all that it heard.")).to_be_visible()


def test_a_dead_letter_is_mended_before_it_is_replayed(shop: RunningShop, opened: Open) -> None:
    event_id = given_up(shop, ordered(shop))
    page = staff(shop, opened).page
    page.goto(f"/console/dead-letters/stock/{event_id}")
    box = page.get_by_label("Data of the event")
    written = box.input_value()
    for wrong, says in (('{"version": 1', "This is no JSON"), ('{"version": 1}', "missing required field")):
        box.fill(wrong)
        page.get_by_role("button", name="Save and replay").click()
        expect(page.locator("#data-error")).to_contain_text(says)
        expect(box).to_have_value(wrong)
    box.fill(written)
    page.get_by_role("button", name="Save and replay").click()
    page.wait_for_url("**/console/dead-letters")
    expect(page.get_by_label(f"Choose event {event_id}")).to_have_count(0)

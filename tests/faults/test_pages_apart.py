"""A page lacks what a context knows that does not answer, and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ecshop.kernel.identity import Role
from tests.browser.conftest import PASSWORD, Browser, order_now, product
from tests.browser.staff import appoint
from tests.shops import RunningShop, shop_behind_gateway

SILENT = "does not answer."


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with shop_behind_gateway(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture(scope="module")
def person(shop: RunningShop) -> Iterator[Browser]:
    """An admin who has ordered something."""
    browser = Browser(shop)
    browser.see("/shop/sign-in")
    browser.send("/shop/sign-in", username=appoint(shop, Role.ADMIN), password=PASSWORD)
    order_now(browser, product(shop, 5)[0])
    yield browser
    browser.close()


def test_while_stock_does_not_answer_the_overview_goes_on_with_what_order_knows(
    shop: RunningShop, person: Browser
) -> None:
    with _away(shop, "stock"):
        text = person.see("/console")
        assert f"stock {SILENT}" in text
        assert "Orders a minute" in text
        assert "as far as known" in text


@pytest.mark.parametrize(
    ("away", "shown", "not_shown"),
    [
        ("auth", ["/console/orders", "/console/audit", "{order}"], ["/console/users"]),
        ("product", ["{shop order}", "/shop/orders", "/console/find?q=tea", "/console/events"], ["/"]),
        (
            "stock",
            [
                *("/", "{shop order}", "{order}", "{events}", "{waiting}"),
                *("/console/orders", "/console/stock", "/console/products"),
            ],
            ["{stock}"],
        ),
        ("order", ["/", "/console", "/console/find?q={id}", "/console/dead-letters"], ["/shop/orders"]),
    ],
)
def test_a_page_is_shown_as_far_as_the_others_know_it(
    shop: RunningShop, person: Browser, away: str, shown: list[str], not_shown: list[str]
) -> None:
    person.see("/shop/orders")
    order = _newest_order(person)
    places = {
        "{order}": f"/console/orders/{order}",
        "{events}": f"/console/events?about={order}",
        "{waiting}": "/console/events?type=ecshop.order.confirmed.v1&state=waits",
        "{shop order}": f"/shop/orders/{order}",
        "{stock}": "/console/stock/1",
    }
    with _away(shop, away):
        for path in [places.get(one, one).replace("{id}", order) for one in shown]:
            text = person.see(path)
            assert (path, person.page.status_code) == (path, 200)
            assert not path.startswith("/console") or f"{away} {SILENT}" in text, path
        for path in not_shown:
            assert "The shop does not answer right now" in person.see(places.get(path, path))
            assert person.page.status_code == 503


def _newest_order(person: Browser) -> str:
    [path, *_] = [part.split('"')[0] for part in person.page.text.split('href="/shop/orders/')[1:]]
    return path


def test_what_was_typed_while_stock_was_away_is_still_there_and_can_be_sent_again(
    shop: RunningShop, person: Browser
) -> None:
    tea, _ = product(shop, 5)
    place = f"/console/stock/{tea}"
    person.see(place)
    with _away(shop, "stock"):
        text = person.send(place, delta="3", reason="found on the shelf")
        assert person.page.status_code == 503
        assert "What you typed is still here." in text
        assert 'value="found on the shelf"' in text
    person.send(place)
    assert (person.path, person.page.status_code) == (place, 200)
    assert "found on the shelf" in person.page.text
    assert shop.units(tea)[0] >= 8


def test_of_an_import_that_stops_in_between_what_was_not_carried_out_is_still_there(
    shop: RunningShop, person: Browser
) -> None:
    tea, _ = product(shop, 5)
    place = "/console/stock/import"
    person.see(place)
    with _away(shop, "stock"):
        text = person.send(place, csv=f"product_id,on_hand\n{tea},7\n")
    assert person.page.status_code == 422
    assert "0 lines were carried out" in text
    assert "The shop does not answer right now" in text
    assert f"product_id,on_hand,low_mark\r\n{tea},7," in text.replace("&#13;", "\r")
    person.send(place, csv=f"product_id,on_hand\n{tea},7\n{10**9},4\n")
    assert person.page.status_code == 422
    assert "1 line was carried out" in person.page.text
    assert f"\n{10**9},4," in person.page.text
    assert f"\n{tea},7," not in person.page.text
    assert shop.units(tea) == (7, 0)


@contextmanager
def _away(shop: RunningShop, service: str) -> Iterator[None]:
    shop.server.signal(service, signal.SIGSTOP)
    try:
        yield
    finally:
        shop.server.signal(service, signal.SIGCONT)

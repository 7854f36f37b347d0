"""A page lacks what a context knows that does not answer, and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Iterator

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
    shop.server.signal("stock", signal.SIGSTOP)
    try:
        text = person.see("/console")
        assert f"stock {SILENT}" in text
        assert "Orders a minute" in text
        assert "as far as known" in text
    finally:
        shop.server.signal("stock", signal.SIGCONT)


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
    shop.server.signal(away, signal.SIGSTOP)
    try:
        for path in [places.get(one, one).replace("{id}", order) for one in shown]:
            text = person.see(path)
            assert (path, person.page.status_code) == (path, 200)
            assert not path.startswith("/console") or f"{away} {SILENT}" in text, path
        for path in not_shown:
            assert "The shop does not answer right now" in person.see(places.get(path, path))
            assert person.page.status_code == 503
    finally:
        shop.server.signal(away, signal.SIGCONT)


def _newest_order(person: Browser) -> str:
    [path, *_] = [part.split('"')[0] for part in person.page.text.split('href="/shop/orders/')[1:]]
    return path

"""A browser without JavaScript: it keeps cookies, follows where it is led, and sends forms as they are on the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser as Chromium

from bench.patient import PATIENCE
from tests.browser.chromium import Person, chromium
from tests.shops import RunningShop

PASSWORD: Final = "correct horse battery"


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append({"_action": told.get("action", ""), "_method": told.get("method", "get")})
        elif tag == "input" and self.forms and told.get("type") not in {"checkbox", "submit"}:
            self.forms[-1][told.get("name", "")] = told.get("value", "")


class Browser:
    """One person at one browser."""

    def __init__(self, shop: RunningShop, language: str = "en") -> None:
        self._base = shop.url("/products").removesuffix("/products")
        # httpx sends no Secure cookie by plain HTTP, which browsers do on their own machine
        self._jar: dict[str, str] = {}
        self._http = httpx.Client(base_url=self._base, timeout=PATIENCE, headers={"accept-language": language})
        self.page = httpx.Response(204)

    def close(self) -> None:
        self._http.close()

    def see(self, path: str) -> str:
        return self._go(self._http.build_request("GET", path))

    def send(self, action: str, button: str = "", to: str = "", **typed: str) -> str:
        """The form on the page that goes there, filled in; `button` is the name=value of the one that is
        pressed, or where that goes `to`.
        """
        told = _Forms()
        told.feed(self.page.text)
        [form, *_] = [one for one in told.forms if one["_action"] == action] or [{"_action": action}]
        data = {name: value for name, value in form.items() if not name.startswith("_")} | typed
        if button:
            name, _, value = button.partition("=")
            data[name] = value
        headers = {"origin": self._base, "sec-fetch-site": "same-origin"}
        return self._go(self._http.build_request("POST", to or action, data=data, headers=headers))

    def post(self, path: str, data: dict[str, str], **headers: str) -> httpx.Response:
        """By hand, and not followed."""
        request = self._http.build_request("POST", path, data=data, headers=self._cookies() | headers)
        return self._http.send(request)

    def post_raw(self, path: str, body: bytes, headers: dict[bytes, bytes]) -> httpx.Response:
        """Whatever the body is."""
        cookies = {name.encode(): value.encode() for name, value in self._cookies().items()}
        return self._http.send(
            self._http.build_request("POST", path, content=body, headers=[*cookies.items(), *headers.items()])
        )

    def stream(self, path: str, **headers: str) -> AbstractContextManager[httpx.Response]:
        return self._http.stream("GET", path, headers=self._cookies() | headers)

    @property
    def path(self) -> str:
        return self.page.request.url.path

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self._jar)

    def sign_up(self) -> str:
        name = f"u{uuid4()}"[:30]
        self.see("/shop/sign-in")
        self.send("/shop/sign-up", user_name=name, password=PASSWORD)
        assert self.page.status_code == 200, self.page.text
        return name

    def _cookies(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self._jar.items())}

    def _go(self, request: httpx.Request) -> str:
        for _ in range(5):
            request.headers.update(self._cookies())
            self.page = self._http.send(request)
            for cookie in self.page.headers.get_list("set-cookie"):
                pair, *attributes = cookie.split("; ")
                name, _, value = pair.partition("=")
                self._jar[name] = value
                if "Max-Age=0" in attributes:
                    del self._jar[name]
            if not self.page.has_redirect_location:
                return self.page.text
            request = self._http.build_request("GET", self.page.headers["location"])
        raise AssertionError("led in circles")


def product(shop: RunningShop, stock: int, **fields: object) -> tuple[int, str]:
    """Its id and its name."""
    name = f"Tea {uuid4()}"
    return shop.new_product(name=name, stock=stock, **fields), name


def order_now(browser: Browser, product_id: int) -> None:
    """One of it, past the basket."""
    browser.see(f"/shop/products/{product_id}")
    browser.send("/shop/basket/lines", to="/shop/basket/now")


def order_id(browser: Browser) -> str:
    """Of the order whose page it shows."""
    [found] = re.findall(r"^/shop/orders/([0-9a-f-]{36})$", browser.path)
    return str(found)


@pytest.fixture(params=["together", "apart"])
def shop(request: pytest.FixtureRequest) -> RunningShop:
    """The pages are the same from one process, and from a service of their own behind the gateway."""
    running: RunningShop = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def browser(shop: RunningShop) -> Iterator[Browser]:
    opened = Browser(shop)
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def engine() -> Iterator[Chromium]:
    """Ended with the tests of pages: as long as it runs, its thread can run no event loop of another test."""
    with chromium() as launched:
        yield launched


@pytest.fixture
def opened(shop: RunningShop, engine: Chromium) -> Iterator[Callable[..., Person]]:
    """Opens windows, each somebody's own; whatever a page complains of fails the test, as any other host does."""
    address = shop.url("/products").removesuffix("/products")
    people: list[Person] = []

    def open_(**window: Any) -> Person:
        people.append(Person(engine, address, **window))
        return people[-1]

    yield open_
    for one in people:
        one.close()
    assert [complaint for one in people for complaint in one.complaints] == []
    assert {host for one in people for host in one.hosts} <= {urlsplit(address).netloc}

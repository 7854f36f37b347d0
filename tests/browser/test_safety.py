"""What pages admit and what they do not: other sites, other people's text, files, streams."""

from __future__ import annotations

import hashlib
import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

import ecshop.web
from bench.server import running
from entrypoints.contexts import NAMES
from tests.browser.conftest import PASSWORD, Browser, order_id, order_now, product
from tests.shops import RunningShop
from tests.waiting import eventually

POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def test_a_form_of_another_site_changes_nothing(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    browser.sign_up()
    page = browser.see(f"/shop/products/{tea}")
    [token] = set(re.findall(r'name="form_token" value="([^"]+)"', page))
    data = {"product_id": str(tea), "quantity": "1"}
    for sent, headers in (
        ({}, {}),
        ({"form_token": "x"}, {}),
        ({"form_token": token}, {"sec-fetch-site": "cross-site"}),
        ({"form_token": token}, {"sec-fetch-site": "same-site"}),
        ({"form_token": token}, {"origin": "https://evil.example"}),
        ({"form_token": token}, {"origin": "null"}),
    ):
        refused = browser.post("/shop/basket/now", data | sent, **headers)
        assert refused.status_code == 403, (sent, headers)
    assert shop.units(tea) == (5, 0)


@pytest.mark.parametrize("kind", ["", "; boundary=", "; boundary=x", "; boundary=" + "x" * 300, "; boundary=\u00e9"])
@pytest.mark.parametrize(
    "body", ["", "--x", "--x\r\n\r\n--x--", "--x\r\ncontent-disposition: form-data\r\n\r\na\r\n--x--"]
)
def test_a_form_with_files_that_is_none_is_refused(browser: Browser, kind: str, body: str) -> None:
    browser.sign_up()
    headers = {b"content-type": b"multipart/form-data" + kind.encode("latin-1"), b"sec-fetch-site": b"same-origin"}
    assert browser.post_raw("/shop/basket/now", body.encode(), headers).status_code == 403


@pytest.mark.parametrize("number", ["", "x", "-1", "0", "1.5", "9" * 19, "9" * 29, "9" * 5000, "\u0663", "1\0"])
@pytest.mark.parametrize("field", ["product_id", "quantity", "expected_total", "idempotency_key"])
def test_odd_numbers_in_a_form_are_no_failure_of_ours(
    shop: RunningShop, browser: Browser, field: str, number: str
) -> None:
    tea, _ = product(shop, 5)
    browser.sign_up()
    browser.see(f"/shop/products/{tea}")
    for path in ("/shop/basket/lines", "/shop/basket/now", "/shop/basket/order"):
        browser.send("/shop/basket/lines", to=path, **{field: number})
        assert browser.page.status_code < 500, path


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_led_to_another_site(browser: Browser, path: str) -> None:
    browser.see(f"/shop/sign-in?next={path}")
    name = f"u{uuid4()}"[:30]
    browser.send("/shop/sign-up", user_name=name, password=PASSWORD, next=path)
    assert browser.path == "/"
    assert browser.page.request.url.host == "127.0.0.1"


def test_an_api_key_in_a_cookie_opens_no_page(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    browser.sign_up()
    token = browser.cookies["__Host-access"]
    made = shop.call("POST", "/auth/api-keys", token, json={"name": "the till", "scopes": ["order.read"]}).json()
    lent = shop.call("POST", "/auth/api-keys/token", json={"key": made["key"]}).json()["access_token"]
    for value in (made["key"], lent):
        stranger = Browser(shop)
        stranger.see(f"/shop/products/{tea}")
        stranger._jar["__Host-access"] = value
        stranger.send("/shop/basket/lines", to="/shop/basket/now")
        assert stranger.path == "/shop/sign-in"
        stranger.close()
    assert shop.units(tea) == (5, 0)


@pytest.mark.parametrize(
    "path", ["/shop/products/99999999999", "/shop/orders?cursor=x", "/static/x.css", "/shop/orders/x/live"]
)
def test_a_session_goes_on_past_pages_that_fail(browser: Browser, path: str) -> None:
    browser.sign_up()
    del browser._jar["__Host-access"]
    kept = browser.cookies["__Host-session"]
    browser.see(path)
    if browser.page.headers.get("set-cookie"):
        assert browser.cookies["__Host-session"] != kept
    browser.see("/shop/account")
    assert browser.path == "/shop/account"


def test_a_stream_tells_the_browser_of_its_next_token(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    browser.sign_up()
    order_now(browser, tea)
    live = f"{browser.path}/live"
    del browser._jar["__Host-access"]
    with browser.stream(live) as stream:
        told = " ".join(stream.headers.get_list("set-cookie"))
        assert "__Host-session=er_" in told
        assert "__Host-access=ey" in told


def test_a_stream_ends_with_its_session_and_tells_strangers_that_it_is_over(
    shop: RunningShop, browser: Browser
) -> None:
    tea, _ = product(shop, 5)
    browser.sign_up()
    order_now(browser, tea)
    live, kept = f"{browser.path}/live", browser.cookies
    with browser.stream(live) as stream:
        lines = stream.iter_lines()
        assert "hx-partial" in next(lines)
        shop.call("POST", "/auth/logout", kept["__Host-access"]).raise_for_status()
        began = time.monotonic()
        list(lines)
        assert time.monotonic() - began < 5
    browser._jar.clear()
    with browser.stream(live) as stream:
        told = "\n".join(stream.iter_lines())
        assert "You were signed out." in told
        assert "event: done" in told


def test_one_account_has_so_many_pages_that_move(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    browser.sign_up()
    order_now(browser, tea)
    live = f"{browser.path}/live"
    with ExitStack() as stack:
        opened = [stack.enter_context(browser.stream(live)).iter_lines() for _ in range(10)]
        assert all("hx-partial" in next(lines) for lines in opened)
        refused = stack.enter_context(browser.stream(live))
        assert refused.status_code == 503
        assert "This page does not move right now." in "\n".join(refused.iter_lines())


def test_strangers_at_one_address_have_more_of_them(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5)
    with ExitStack() as stack:
        opened = [stack.enter_context(browser.stream(f"/shop/products/{tea}/live")).iter_lines() for _ in range(11)]
        assert all("hx-partial" in next(lines) for lines in opened)


@pytest.mark.parametrize("path", ["/shop/sign-up", "/shop/password", "/shop/basket/order", "/shop/basket/now"])
def test_the_language_is_changed_on_every_page_also_on_that_of_a_refusal(browser: Browser, path: str) -> None:
    browser.see("/shop/sign-in")
    browser.send(path)
    browser.send("/shop/settings", language="ja")
    assert browser.page.status_code == 200
    assert '<html lang="ja"' in browser.page.text


def test_odd_heads_are_no_failure_of_ours(browser: Browser) -> None:
    for headers in (
        {"origin": "http://["},
        {"content-type": "multipart/form-data; boundary=x; charset=x"},
        {"content-type": "application/json"},
        {"accept-language": "JA-jp;q=,," + "x;" * 500},
        {"cookie": "a; =b; __Host-form=%ff%00; " + ";" * 1000},
    ):
        assert browser.post("/shop/sign-in", {"username": "a\0", "password": "\0"}, **headers).status_code in {403, 415}
    for path in ("/shop/products/-99999999999999999999", f"/shop/products/{10**30}", "/?" + "a&" * 3000):
        browser.see(path)
        assert browser.page.status_code < 500, path


def test_what_others_have_written_is_text_on_every_page(shop: RunningShop, browser: Browser) -> None:
    name = f"<script>alert({uuid4().int})</script>"
    tea = shop.new_product(name=name, stock=5, detail="<img src=x onerror=alert(1)>")
    for path in (f"/?q={name[:20]}", f"/shop/products/{tea}"):
        page = browser.see(path)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;" in page


def test_pages_run_and_load_nothing_but_files_of_their_own(shop: RunningShop, browser: Browser) -> None:
    tea, _ = product(shop, 5, picture="teapot.svg")
    for path in ("/", f"/shop/products/{tea}", "/shop/basket", "/shop/sign-in", "/shop/nothing"):
        page = browser.see(path)
        assert browser.page.headers["content-security-policy"] == POLICY
        assert not re.search(r"<style|style=|<script(?! src=\"/static/)| on\w+=", page), path
        for loaded in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
            file = browser._http.get(loaded)
            assert file.status_code == 200, loaded
            assert "immutable" in file.headers["cache-control"]
            assert file.headers["content-encoding"] == "gzip"
    assert not [name for name in browser.cookies if not name.startswith("__Host-")]


def test_a_file_that_is_none_of_ours_is_not_served(browser: Browser) -> None:
    for path in ("/static/x.css", "/static/../pages.py", "/static/shop.css", "/static/", "/static/products/x.svg"):
        browser.see(path)
        assert browser.page.status_code == 404, path


def test_the_first_page_is_small(shop: RunningShop, browser: Browser) -> None:
    page = browser.see("/")
    loaded = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
    sent = sum(int(browser._http.get(path).headers["content-length"]) for path in loaded)
    assert len(page.encode()) + sent < 100_000


def test_the_scripts_are_the_vendored_files() -> None:
    folder = Path(ecshop.web.__file__).parent / "vendor" / "htmx"
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    assert {file.name for file in folder.glob("*.js")} == {"htmx.min.js", "hx-sse.min.js"}


def test_an_open_stream_ends_with_its_client_and_with_its_server(tmp_path: Path) -> None:
    with running(tmp_path, "ecshop", "up", "--port", "0", contexts=NAMES, ECSHOP_LOG="json") as server:
        shop = RunningShop(server)
        browser = Browser(shop)
        tea = shop.new_product(stock=5)
        browser.sign_up()
        order_now(browser, tea)
        live = f"/shop/orders/{order_id(browser)}/live"
        with browser.stream(live) as stream:
            assert "hx-partial" in next(stream.iter_lines())
        log = tmp_path / "output.log"
        eventually(lambda: f'"path":"{live}"' in log.read_text(), True)
        with browser.stream(live) as stream:
            lines = stream.iter_lines()
            assert "hx-partial" in next(lines)
            server.process.send_signal(signal.SIGTERM)
            asked = time.monotonic()
            assert [line for line in lines if line.startswith("event:")] == []
            assert time.monotonic() - asked < 2
            assert server.process.wait(timeout=10) == 0
            assert time.monotonic() - asked < 3
        shop.close()
        browser.close()

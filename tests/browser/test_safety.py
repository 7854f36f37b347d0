"""What pages admit and what they do not: other sites, other people's text, files, streams."""

from __future__ import annotations

import hashlib
import re
import signal
import time
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

import ecshop.web
from bench.server import running
from entrypoints.contexts import NAMES
from tests.browser.conftest import PASSWORD, Browser, order_id, product
from tests.shops import RunningShop
from tests.waiting import eventually

POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


def test_a_form_of_another_site_changes_nothing(together: RunningShop, browser: Browser) -> None:
    tea, _ = product(together, 5)
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
    assert together.units(tea) == (5, 0)


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_led_to_another_site(browser: Browser, path: str) -> None:
    browser.see(f"/shop/sign-in?next={path}")
    name = f"u{uuid4()}"[:30]
    browser.send("/shop/sign-up", user_name=name, password=PASSWORD, next=path)
    assert browser.path == "/"
    assert browser.page.request.url.host == "127.0.0.1"


def test_what_others_have_written_is_text_on_every_page(together: RunningShop, browser: Browser) -> None:
    name = f"<script>alert({uuid4().int})</script>"
    tea = together.new_product(name=name, stock=5, detail="<img src=x onerror=alert(1)>")
    for path in (f"/?q={name[:20]}", f"/shop/products/{tea}"):
        page = browser.see(path)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;" in page


def test_pages_run_and_load_nothing_but_files_of_their_own(together: RunningShop, browser: Browser) -> None:
    tea, _ = product(together, 5, picture="teapot.svg")
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


def test_the_first_page_is_small(together: RunningShop, browser: Browser) -> None:
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
        browser.see(f"/shop/products/{tea}")
        browser.send("/shop/basket/lines", to="/shop/basket/now")
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

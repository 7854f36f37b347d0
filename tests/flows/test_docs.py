"""The page of the API's documentation: served by the shop itself, and from nowhere else."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import httpx
import pytest

import ecshop.kernel.http
from bench import patient
from entrypoints.contexts import NAMES
from tests.shops import RunningShop

pytestmark = pytest.mark.sqlite_only

ASSETS: Final = Path(ecshop.kernel.http.__file__).parent / "vendor" / "swagger-ui"


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_page_loads_nothing_from_another_host(addresses: list[str], http: httpx.Client, path: str) -> None:
    for address in addresses:
        page = http.get(f"{address}{path}")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert re.findall(r"(?:https?:)?//[\w.]+", page.text) == []
        loaded = [*_Loads(page.text).found, "/docs/openapi.json"]
        assert sorted(loaded) == [
            "/docs/assets/docs.js",
            "/docs/assets/swagger-ui-bundle.js",
            "/docs/assets/swagger-ui.css",
            "/docs/openapi.json",
            "/favicon.ico",
        ]
        for path_of_one in loaded:
            assert http.get(f"{address}{path_of_one}").status_code == 200


def test_the_styles_load_nothing_from_another_host(addresses: list[str], http: httpx.Client) -> None:
    styles = http.get(f"{addresses[0]}/docs/assets/swagger-ui.css").text
    assert {found.partition(":")[0].strip("'\"") for found in re.findall(r"url\(([^)]*)\)", styles)} <= {"data"}
    assert "@import" not in styles


def test_the_assets_are_the_vendored_files(addresses: list[str], http: httpx.Client) -> None:
    types = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
    for address in addresses:
        for name, media_type in types.items():
            served = http.get(f"{address}/docs/assets/{name}")
            vendored = (ASSETS / name).read_bytes()
            assert hashlib.sha256(served.content).hexdigest() == hashlib.sha256(vendored).hexdigest()
            assert served.headers["content-type"].partition(";")[0] == media_type


@pytest.mark.parametrize("path", ["..%2fdocs.py", "%2e%2e/docs.py", "..%2f..%2f..%2ferrors.py", "%2fetc%2fpasswd"])
def test_nothing_but_the_assets_is_served_beside_them(addresses: list[str], http: httpx.Client, path: str) -> None:
    for address in addresses:
        assert http.get(f"{address}/docs/assets/{path}").status_code == 404


class _Loads(HTMLParser):
    """What a page loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in {"src", "href"} and value]


def test_a_service_of_its_own_leads_to_its_docs(apart: RunningShop) -> None:
    for context in NAMES:
        address = f"http://127.0.0.1:{apart.server.ports[context]}"
        assert patient.get(f"{address}/").headers["location"] == "/docs"

"""What every answer says beside its content: to a browser, to a cache, and to whoever guesses types."""

from __future__ import annotations

import socket
from typing import Final

import httpx
import pytest

from bench import patient
from tests.shops import RunningShop

pytestmark = pytest.mark.sqlite_only

PATHS: Final = {
    "a list": ("GET", "/products"),
    "what is not there": ("GET", "/products/999999999"),
    "no path": ("GET", "/products/1/nothing"),
    "another method": ("PATCH", "/products"),
    "a head": ("HEAD", "/products"),
    "options": ("OPTIONS", "/products"),
    "no token": ("GET", "/orders"),
    "no JSON": ("POST", "/auth/signup"),
}


def assert_safe(headers: httpx.Headers, *, policy: str = "default-src 'none'", kept: str = "no-store") -> None:
    for name in ("x-content-type-options", "content-security-policy", "cache-control"):
        assert len(headers.get_list(name)) == 1, name
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith(policy)
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == kept


@pytest.mark.parametrize("what", PATHS)
def test_every_answer_is_neither_kept_nor_guessed_nor_run(shop: RunningShop, what: str) -> None:
    answer = shop.call(*PATHS[what])
    assert_safe(answer.headers)
    assert "strict-transport-security" not in answer.headers


def test_a_page_runs_scripts_of_its_own_alone(shop: RunningShop) -> None:
    for origin in {shop.gateway or shop.server.url("auth"), shop.server.url("auth")}:
        page = patient.get(f"{origin}/docs")
        assert page.status_code == 200
        assert_safe(page.headers, policy="default-src 'self'")
        assert page.headers["referrer-policy"] == "no-referrer"
        assert "script-src" not in page.headers["content-security-policy"]
        assert "<script>" not in page.text
        asset = patient.get(f"{origin}/docs/assets/docs.js")
        assert_safe(asset.headers, kept="public, max-age=86400")


def test_what_the_server_itself_answers_is_as_safe(shop: RunningShop) -> None:
    port = int(httpx.URL(shop.gateway or shop.server.url("auth")).port or 0)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"NO HTTP AT ALL\r\n\r\n")
        answer = b""
        while more := connection.recv(65536):
            answer += more
    lines = [line.partition(b": ") for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    assert_safe(httpx.Headers([(name, value) for name, _, value in lines]))


@pytest.mark.one_shape
def test_nobody_but_a_trusted_proxy_says_that_there_is_tls(shop: RunningShop) -> None:
    answer = shop.call("GET", "/products", headers={"x-forwarded-proto": "https"})
    assert "strict-transport-security" not in answer.headers

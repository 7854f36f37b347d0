"""Bytes that are nearly requests: whatever comes, the shop refuses it as a problem and goes on."""

from __future__ import annotations

import re
import socket

import pytest

from bench.trust.corpus import ODD, good
from bench.trust.fuzz import is_whole
from tests.shops import RunningShop

pytestmark = pytest.mark.sqlite_only

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


def answers(shop: RunningShop, sent: bytes, patience: float) -> tuple[list[int], bytes]:
    """The statuses of all that comes within so many seconds, and all of it."""
    answer = b""
    with socket.create_connection(("127.0.0.1", shop.server.ports["product"]), timeout=patience) as connection:
        connection.sendall(sent)
        try:
            while not is_whole(answer) and (more := connection.recv(65536)):
                answer += more
        except (ConnectionResetError, TimeoutError):
            pass
    return [int(status) for status in STATUS.findall(answer)], answer


@pytest.mark.parametrize("what", ODD)
def test_what_is_nearly_a_request_is_no_failure_of_ours(shop: RunningShop, what: str) -> None:
    statuses, answer = answers(shop, ODD[what], 1)
    assert all(status < 500 for status in statuses)
    if len(statuses) == 1 and statuses[0] >= 400:
        assert b"content-type: application/problem+json" in answer
    assert shop.call("GET", "/products").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"host: shop\r\nhost: shop\r\n",
        b"host: sho:p\r\n",
        b"host: shop:65536\r\n",
        b"host: [::\r\n",
        b"host: a b\r\n",
        b"host: user@shop\r\n",
        b"host: shop/products\r\n",
        b"host: shop\r\nauthorization: Bearer a\r\nauthorization: Bearer b\r\n",
    ],
)
def test_what_names_no_host_or_two_or_who_asks_twice_is_refused_everywhere(shop: RunningShop, headers: bytes) -> None:
    for line in (b"GET /products", b"POST /auth/login", b"GET /docs"):
        statuses, answer = answers(shop, line + b" HTTP/1.1\r\n" + headers + b"\r\n", 30)
        assert statuses == [400], answer
        assert b'"code":"http.malformed"' in answer


@pytest.mark.parametrize("host", [b"shop", b"shop:8000", b"shop:", b"127.0.0.1:65535", b"[::1]:80", b"a_b.example"])
def test_what_is_a_host_is_taken(shop: RunningShop, host: bytes) -> None:
    statuses, _ = answers(shop, b"GET /products HTTP/1.1\r\nhost: " + host + b"\r\n\r\n", 30)
    assert statuses == [200]


def test_a_client_of_http_1_0_needs_no_host(shop: RunningShop) -> None:
    statuses, _ = answers(shop, b"GET /products HTTP/1.0\r\n\r\n", 30)
    assert statuses == [200]


def test_what_a_fuzzer_begins_from_is_understood(shop: RunningShop) -> None:
    for request in good(shop.staff):
        if request.startswith(b"HEAD"):
            continue
        statuses, answer = answers(shop, request, 30)
        assert len(statuses) == 1, request
        assert statuses[0] < 500, answer
        assert b"http.malformed" not in answer, request

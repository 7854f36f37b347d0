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


def test_what_a_fuzzer_begins_from_is_understood(shop: RunningShop) -> None:
    for request in good(shop.staff):
        if request.startswith(b"HEAD"):
            continue
        statuses, answer = answers(shop, request, 30)
        assert len(statuses) == 1, request
        assert statuses[0] < 500, answer
        assert b"http.malformed" not in answer, request

"""Every answer has the id of its request, the caller's own where it is sane; a path to nothing has one too."""

from __future__ import annotations

import re

import httpx
import pytest

from ecshop.kernel.http.problems import MEDIA_TYPE

pytestmark = pytest.mark.sqlite_only


@pytest.mark.parametrize("path", ["/doc", "/docs/nothing", "/docs/assets/nothing.js", "/openapi.json", "/internal"])
def test_a_path_to_nothing_answers_with_a_problem(addresses: list[str], http: httpx.Client, path: str) -> None:
    for address in addresses:
        answer = http.get(f"{address}{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)
        assert answer.json()["code"] == "http.not_found"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/docs/openapi.json", "/nothing"])
@pytest.mark.parametrize("sent", ["1", "abc-DEF_0.9", "x" * 64, "01a208cf-ca8f-7408-a679-bf3a1688dcc1"])
def test_a_sane_request_id_is_taken_over(addresses: list[str], http: httpx.Client, path: str, sent: str) -> None:
    for address in addresses:
        assert http.get(f"{address}{path}", headers={"x-request-id": sent}).headers.get_list("x-request-id") == [sent]


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a\tb", 'a"b', "a,b", "{}", "<b>", "\u00e9", "a/b", "%0A"])
def test_a_request_id_that_is_not_sane_is_replaced(addresses: list[str], http: httpx.Client, sent: str) -> None:
    for address in addresses:
        ids = [
            http.get(f"{address}/nothing", headers=[(b"x-request-id", sent.encode())]).headers.get_list("x-request-id")
            for _ in range(2)
        ]
        assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one) for [one] in ids)
        assert ids[0] != ids[1]


def test_requests_without_an_id_get_one_each(addresses: list[str], http: httpx.Client) -> None:
    ids = [http.get(f"{address}/health/live").headers["x-request-id"] for address in addresses * 10]
    assert len(set(ids)) == len(ids)

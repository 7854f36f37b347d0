"""Who a client is: the peer, unless a trusted proxy says that it speaks for another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench import patient
from bench.server import Server, running
from entrypoints.contexts import NAMES
from tests.shops import RunningShop
from tests.waiting import eventually

CLIENT, SPOOFED = "203.0.113.7", "198.51.100.66"
LOCAL = "127.0.0.1"


@pytest.fixture(scope="module", params=[f"10.0.0.0/8, {LOCAL}", "127.0.0.0/8"])
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A shop that trusts whoever is on this machine."""
    folder, command = tmp_path_factory.mktemp("behind"), ("ecshop", "up", "--port", "0")
    with running(folder, *command, contexts=NAMES, ECSHOP_TRUSTED_PROXIES=request.param) as server:
        yield server


def _client_of(server: Server, request_id: str, forwarded: str) -> str:
    """Who asked, as the log says."""
    headers = {"x-request-id": request_id, "x-forwarded-for": forwarded}
    patient.get(f"{server.url('product')}/products/1", headers=headers)
    log = server.folder / "output.log"

    def lines() -> list[dict[str, Any]]:
        told = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        return [line for line in told if line.get("request_id") == request_id]

    eventually(lambda: len(lines()), 1)
    [line] = lines()
    return str(line["client"])


def test_a_trusted_proxy_says_whom_it_speaks_for(behind: Server) -> None:
    assert _client_of(behind, "one", CLIENT) == CLIENT


def test_what_the_client_wrote_itself_is_not_believed(behind: Server) -> None:
    assert _client_of(behind, "two", f"{SPOOFED}, {CLIENT}") == CLIENT


def test_a_chain_of_trusted_proxies_is_followed_to_its_begin(behind: Server) -> None:
    assert _client_of(behind, "three", f"{SPOOFED}, {CLIENT}, 127.0.0.1") == CLIENT


def test_without_trusted_proxies_nobody_speaks_for_another(together: RunningShop) -> None:
    assert _client_of(together.server, "untrusted", CLIENT) == LOCAL


def test_behind_our_own_gateway_it_is_who_asked_that(apart: RunningShop) -> None:
    patient.get(f"{apart.gateway}/products/1", headers={"x-request-id": "through", "x-forwarded-for": SPOOFED})
    log = apart.folder / "output.log"

    def told() -> list[str]:
        lines = [line.partition("| ")[2] for line in log.read_text().splitlines() if '"through"' in line]
        return [json.loads(line)["client"] for line in lines]

    eventually(told, [LOCAL])

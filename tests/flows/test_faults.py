"""What goes wrong on purpose heals, and is there to be caused in development only."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.patient import PATIENCE
from bench.server import ports_in_a_row, running
from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role
from entrypoints.buses import own_broker
from entrypoints.contexts import NAMES, SERVICE_NAMES
from tests.actors import STAFF
from tests.shops import RunningShop, need_redis, shop_apart
from tests.waiting import eventually


def cause(shop: RunningShop, kind: str, context: str = "stock") -> dict[str, Any]:
    told: dict[str, Any] = shop.call("POST", f"/events/{context}/faults", shop.admin, json={"kind": kind}).json()
    return told


def hurt(shop: RunningShop, order: str) -> list[str]:
    told = shop.call("GET", f"/orders/{order}/timeline", shop.staff).json()
    happened = shop.call("GET", "/events/stock/faults", shop.admin).json()["happened"]
    return [one["did"] for one in reversed(happened) if one["event_id"] == told["confirmed_event"]]


def test_an_event_that_fails_is_tried_again_and_one_that_comes_twice_is_applied_once(shop: RunningShop) -> None:
    product = shop.new_product(stock=10)
    for kind, did in (
        ("fail", ["failed on purpose, and will be tried again", "committed"]),
        ("duplicate", ["came twice: ignored: applied before"]),
    ):
        before = shop.units(product)[0]
        cause(shop, kind)
        order = shop.order(product, 1).json()["id"]
        eventually(partial(hurt, shop, order), did)
        assert shop.units(product) == (before - 1, 0)


def test_a_listener_that_is_paused_applies_what_has_waited(shop: RunningShop) -> None:
    product = shop.new_product(stock=10)
    assert cause(shop, "pause")["paused_until"]
    shop.order(product, 1).raise_for_status()
    assert shop.units(product) == (10, 1)
    assert cause(shop, "resume")["paused_until"] is None
    eventually(lambda: shop.units(product), (9, 0))


@pytest.mark.one_shape
def test_a_service_that_is_killed_is_there_again(tmp_path: Path) -> None:
    need_redis()
    command = ("ecshop", "up", "--split", "--base-port", str(ports_in_a_row()))
    with running(tmp_path, *command, contexts=SERVICE_NAMES) as server:
        token = signing_key_in(tmp_path).token_for_user(STAFF.user_id, Role.ADMIN, 900)
        with httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE) as http:
            faults = f"{server.url('stock')}/events/stock/faults"
            assert http.post(faults, json={"kind": "kill"}).json()["can_die"] is True
            eventually(lambda: "stock was killed by SIGKILL" in (tmp_path / "output.log").read_text(), True)
            eventually(lambda: _answers(http, faults), 200, seconds=30)


@pytest.mark.one_shape
def test_a_broker_that_is_killed_is_there_again_and_no_event_is_lost(tmp_path: Path) -> None:
    need_redis()
    with shop_apart(tmp_path) as shop:
        tea = shop.new_product(stock=5)
        before = own_broker(shop.settings)
        assert cause(shop, "stop_broker")["can_stop_broker"] is True
        shop.order(tea, 5).raise_for_status()
        eventually(lambda: shop.product(tea)["in_stock"], False, seconds=30)
        assert shop.units(tea) == (0, 0)
        assert own_broker(shop.settings) not in {before, None}


@pytest.mark.one_shape
def test_where_the_shop_is_for_real_nothing_can_be_broken(tmp_path: Path) -> None:
    real = {"ECSHOP_PROFILE": "production", "ECSHOP_TRUSTED_PROXIES": "127.0.0.1", "ECSHOP_DOCS": "open"}
    with running(tmp_path, "ecshop", "up", "--port", "0", contexts=NAMES, **real) as server:
        token = signing_key_in(tmp_path).token_for_user(STAFF.user_id, Role.ADMIN, 900)
        with httpx.Client(
            headers={"authorization": f"Bearer {token}"}, base_url=server.url("stock"), timeout=PATIENCE
        ) as http:
            assert http.post("/events/stock/faults", json={"kind": "kill"}).status_code == 404
            assert http.get("/events/stock/faults").status_code == 404
            assert http.get("/console/break", headers={"cookie": f"__Host-access={token}"}).status_code == 404


def _answers(http: httpx.Client, url: str) -> int:
    try:
        return http.get(url).status_code
    except httpx.TransportError:
        return 0

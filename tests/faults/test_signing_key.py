"""The signing key is replaced while services have tokens that the old one signed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from ecshop.auth.key_file import FILE, signing_key_in
from ecshop.kernel.identity import Role
from tests.shops import RunningShop, need_redis, shop_apart, shop_together
from tests.waiting import eventually


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RunningShop]:
    need_redis()
    with shop_apart(tmp_path) as running:
        yield running


def test_orders_go_on_after_the_signing_key_was_replaced(shop: RunningShop) -> None:
    """The service token that order holds is refused from now on: it fetches another one, and repeats its call."""
    product = shop.new_product(stock=5)
    shop.order(product, 1).raise_for_status()
    (shop.folder / FILE).rename(shop.folder / "old.pem")
    for service in ("auth", "product", "stock"):
        shop.server.signal(service, signal.SIGKILL)
    token = ""

    def order() -> int:
        nonlocal token
        token = token or signing_key_in(shop.folder).token_for_user(uuid4(), Role.CUSTOMER, 900)
        try:
            return shop.order(product, 1, token).status_code
        except httpx.TransportError:
            return 0

    eventually((shop.folder / FILE).exists, True, seconds=30)
    eventually(order, 201, seconds=30)


def noted(shop: RunningShop) -> list[tuple[str, str]]:
    """What the audit trail has of the signing key, and which one it was from then on."""
    admin = signing_key_in(shop.folder).token_for_user(uuid4(), Role.ADMIN, 900)
    trail = shop.call("GET", "/audit/auth?subject=signing%20key", admin).json()["items"]
    return [(entry["action"], entry["after"]["kid"]) for entry in trail]


@pytest.mark.parametrize("shape", [shop_together, shop_apart])
def test_a_revoked_key_is_felt_everywhere_within_five_seconds(
    shape: Callable[[Path], AbstractContextManager[RunningShop]], tmp_path: Path
) -> None:
    need_redis()
    with shape(tmp_path) as shop:
        product, leaked = shop.new_product(stock=5), shop.staff
        price = {"json": {"price": 1}}
        calls = [("/auth/me", {}), (f"/products/{product}", price), (f"/stock/{product}", {"json": {"stock": 5}})]

        def answers() -> set[int]:
            verbs = [("PUT" if options else "GET", path, options) for path, options in [*calls, ("/orders", {})]]
            return {shop.call(verb, path, leaked, **options).status_code for verb, path, options in verbs}

        assert 401 not in answers()
        revoked = subprocess.run(
            [sys.executable, "-m", "ecshop", "keys", "revoke", "--data-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "everybody has to log in again" in revoked.stdout
        eventually(answers, {401}, seconds=5)
        fresh = signing_key_in(tmp_path).token_for_user(uuid4(), Role.CUSTOMER, 900)
        eventually(lambda: shop.order(product, 1, fresh).status_code, 201)
        assert noted(shop) == [("signing_key.revoked", signing_key_in(tmp_path).public.kid)]


@pytest.mark.parametrize("shape", [shop_together, shop_apart])
def test_a_key_that_is_rotated_is_noticed_by_nobody(
    shape: Callable[[Path], AbstractContextManager[RunningShop]], tmp_path: Path
) -> None:
    need_redis()
    ecshop = [sys.executable, "-m", "ecshop", "keys"]
    data = ["--data-dir", str(tmp_path)]
    with shape(tmp_path) as shop:
        refused = 0
        first = signing_key_in(tmp_path).public.kid
        with subprocess.Popen([*ecshop, "rotate", *data], stdout=subprocess.PIPE, text=True) as rotating:
            while rotating.poll() is None:
                refused += shop.call("GET", "/orders", shop.customer).status_code != 200
        assert rotating.returncode == 0
        second = signing_key_in(tmp_path).public.kid
        assert second != first
        fresh = signing_key_in(tmp_path).token_for_user(uuid4(), Role.CUSTOMER, 900)
        for token in (shop.customer, fresh):
            refused += shop.call("GET", "/orders", token).status_code != 200
        assert refused == 0
        listed = subprocess.run([*ecshop, "list", *data], capture_output=True, text=True, check=True).stdout
        assert [line.split()[:2] for line in listed.splitlines()] == [[second, "signs"], [first, "retired"]]
        assert {key["kid"] for key in shop.call("GET", "/.well-known/jwks.json").json()["keys"]} == {first, second}
        assert noted(shop) == [("signing_key.rotated", second)]


def test_what_renews_a_service_token_is_in_no_orders_way(tmp_path: Path) -> None:
    """Auth hangs: a token that is still good goes on being used, and nobody waits for another one."""
    need_redis()
    with shop_apart(tmp_path) as shop:
        product = shop.new_product(stock=50)
        shop.order(product, 1).raise_for_status()
        shop.server.signal("auth", signal.SIGSTOP)
        try:
            until, slowest = time.monotonic() + 8, 0.0
            while time.monotonic() < until:
                began = time.monotonic()
                assert shop.order(product, 1).status_code in (201, 409)
                slowest = max(slowest, time.monotonic() - began)
        finally:
            shop.server.signal("auth", signal.SIGCONT)
        assert slowest < 1

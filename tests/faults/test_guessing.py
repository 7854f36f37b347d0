"""Logins by the thousand, and by guessing: who knows his password gets in, and whoever does not has to wait."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from bench.patient import PATIENCE
from tests.shops import RunningShop, shop_together

PASSWORD = "correct horse battery"
FREE = 5


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    bounds = {"ECSHOP_FREE_GUESSES": str(FREE), "ECSHOP_TRUSTED_PROXIES": "127.0.0.1"}
    with shop_together(tmp_path_factory.mktemp("guessing"), **bounds) as running:
        yield running


@pytest.fixture
def address() -> str:
    """Of a client that no other test knows."""
    return f"2001:db8::{uuid4().hex[:4]}:{uuid4().hex[:4]}"


@pytest.fixture
def owner(shop: RunningShop, address: str) -> str:
    """Who has an account, and has never logged in."""
    name = f"owner-{uuid4().hex[:8]}"
    body = {"user_name": name, "password": PASSWORD}
    assert shop.call("POST", "/auth/signup", json=body, headers=at(address)).status_code == 201
    return name


def at(address: str) -> dict[str, str]:
    """As a proxy says where a request came from."""
    return {"x-forwarded-for": address}


def log_in(shop: RunningShop, name: str, password: str, address: str) -> httpx.Response:
    return shop.call("POST", "/auth/login", json={"username": name, "password": password}, headers=at(address))


def guess_until_refused(shop: RunningShop, name: str, address: str) -> httpx.Response:
    """On a busy machine an attempt takes longer than the first pause; but each pause is twice the one before."""
    while (answer := log_in(shop, name, "wrong password", address)).status_code == 401:
        pass
    return answer


def bounded_by_address(attempt: Callable[[], int], made: int) -> None:
    """What is free is made, and of what follows no more than pauses of 1, 2, 4 ... seconds leave time for."""
    assert {attempt() for _ in range(10 * FREE - 1)} == {made}
    began = time.monotonic()
    answers = Counter(attempt() for _ in range(2 * FREE + 1))
    assert set(answers) == {made, 429}
    assert answers[made] <= 1 + math.log2(1 + time.monotonic() - began)


def test_after_some_wrong_passwords_each_attempt_has_to_wait_and_says_how_long(
    shop: RunningShop, owner: str, address: str
) -> None:
    answers = [log_in(shop, owner, "wrong password", address) for _ in range(FREE)]
    assert [answer.status_code for answer in answers] == [401] * FREE
    guess_until_refused(shop, owner, address)
    refused = log_in(shop, owner, PASSWORD, address)
    assert (refused.status_code, refused.json()["code"]) == (429, "auth.too_many_attempts")
    assert int(refused.headers["retry-after"]) == refused.json()["retry_after"] >= 1


def test_nobody_is_locked_out_for_good(shop: RunningShop, owner: str, address: str) -> None:
    for _ in range(3 * FREE):
        log_in(shop, owner, "wrong password", address)
    while (answer := log_in(shop, owner, PASSWORD, address)).status_code == 429:
        time.sleep(0.2)
    assert answer.status_code == 200


def test_an_owner_is_not_kept_out_by_strangers(shop: RunningShop, owner: str, address: str) -> None:
    assert log_in(shop, owner, PASSWORD, address).status_code == 200
    guess_until_refused(shop, owner, "198.51.100.7")
    assert log_in(shop, owner, PASSWORD, "198.51.100.7").status_code == 429
    assert log_in(shop, owner, PASSWORD, address).status_code == 200


def test_one_password_for_many_accounts_is_bounded_by_its_address(shop: RunningShop, address: str) -> None:
    bounded_by_address(lambda: log_in(shop, f"somebody-{uuid4()}", PASSWORD, address).status_code, made=401)


def test_accounts_by_the_hundred_are_bounded_by_their_address(shop: RunningShop, address: str) -> None:
    def sign_up() -> int:
        body = {"user_name": f"one-of-{uuid4().hex}", "password": PASSWORD}
        return shop.call("POST", "/auth/signup", json=body, headers=at(address)).status_code

    bounded_by_address(sign_up, made=201)


def test_hundreds_of_logins_at_once_hold_nobody_up(shop: RunningShop, owner: str, address: str) -> None:
    product = shop.new_product()

    def attempt(number: int) -> int:
        return log_in(shop, f"nobody{number}", "wrong password", f"2001:db8:1::{number:x}").status_code

    with ThreadPoolExecutor(64) as crowd, httpx.Client(timeout=PATIENCE) as other:
        attempts = [crowd.submit(attempt, number) for number in range(500)]
        waited = []
        while not all(one.done() for one in attempts):
            begun = time.monotonic()
            other.get(shop.url(f"/products/{product}")).raise_for_status()
            waited.append(time.monotonic() - begun)
        answers = Counter(one.result() for one in attempts)
    assert set(answers) <= {401, 503}
    assert answers[503] > 0
    assert sorted(waited)[len(waited) // 2] < 0.5
    assert log_in(shop, owner, PASSWORD, address).status_code == 200

"""Shops under test: real processes with real ports and files, and the few calls that most tests begin with."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from bench import patient
from bench.collector import Collector
from bench.load import Request
from bench.patient import PATIENCE, START
from bench.server import Server, ports_in_a_row, running
from ecshop.kernel.identity import Role
from ecshop.kernel.tokens import LONGEST_LIFE
from entrypoints.contexts import NAMES
from entrypoints.local.nginx import NoNginx, nginx_executable
from entrypoints.local.ports import free_port
from entrypoints.local.redis_server import NoRedis, redis_executable
from entrypoints.settings import Settings
from entrypoints.signing_keys import key_of
from tests.databases import put_migrated_files
from tests.invariants import all_is_well
from tests.waiting import eventually

_PREFIXES = {
    "/auth": "auth",
    "/users": "auth",
    **{f"/{what}/{name}": name for what in ("audit", "events") for name in NAMES},
    "/.well-known": "auth",
    "/products": "product",
    "/categories": "product",
    "/stock": "stock",
    "/order": "order",
}


NO_LIMIT = {"ECSHOP_GATEWAY_RATE": "100000"}
ANY_GUESSES = {"ECSHOP_FREE_GUESSES": "100000"}
"""All tests are one client."""


class RunningShop:
    """Requests go to whichever process serves their path: the same tests run on both shapes of the shop."""

    def __init__(self, server: Server, database_url: str = "", gateway: str = "") -> None:
        """Behind a `gateway` that is the address of all of it."""
        self.server, self.folder, self.gateway = server, server.folder, gateway
        self.settings = Settings(data_dir=str(server.folder), database_url=database_url)
        self.sign_anew()
        self._http = httpx.Client(timeout=PATIENCE)

    def sign_anew(self) -> None:
        """By the key that the shop has now."""
        self._key = key_of(self.settings)
        self.staff, self.admin = self._new_token(Role.STAFF), self._new_token(Role.ADMIN)
        self.customer = self.new_customer()

    def new_customer(self) -> str:
        return self._new_token(Role.CUSTOMER)

    def new_staff(self) -> str:
        return self._new_token(Role.STAFF)

    def user_id(self, token: str) -> str:
        """Whose token it is."""
        subject: str = jwt.decode(token, options={"verify_signature": False})["sub"]
        return subject

    def url(self, path: str) -> str:
        [context] = [name for prefix, name in _PREFIXES.items() if path.startswith(prefix)]
        return (self.gateway or self.server.url(context)) + path

    def call(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        headers = options.pop("headers", {})
        if token:
            headers = {"authorization": f"Bearer {token}", **headers}
        return self._http.request(method, self.url(path), headers=headers, **options)

    def new_product(self, *, stock: int | None = None, **fields: Any) -> int:
        made = self.call("POST", "/products", self.staff, json={"name": f"Tea {uuid4()}", "price": 1200, **fields})
        assert made.status_code == 201, made.text
        product_id: int = made.json()["id"]
        if stock is not None:
            self.call("POST", "/stock", self.staff, json={"product_id": product_id, "stock": stock}).raise_for_status()
        return product_id

    def new_category(self) -> int:
        made = self.call("POST", "/categories", self.staff, json={"name": f"Category {uuid4()}"})
        assert made.status_code == 201, made.text
        category_id: int = made.json()["id"]
        return category_id

    def order(self, product_id: int, quantity: int, token: str = "", **headers: str) -> httpx.Response:
        path = f"/order?product_id={product_id}&quantity={quantity}"
        return self.call("POST", path, token or self.customer, headers=headers)

    def stock(self, product_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/stock/{product_id}").json()
        return found

    def units(self, product_id: int) -> tuple[int, int]:
        """What is on hand, and what of it is reserved."""
        level = self.stock(product_id)
        return level["stock"], level["reserved"]

    def product(self, product_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/products/{product_id}").json()
        return found

    def metrics(self, context: str) -> str:
        """What the process of that context tells Prometheus."""
        return self._http.get(f"{self.server.url(context)}/metrics").raise_for_status().text

    def kill(self) -> None:
        self.server.process.kill()
        self.server.process.wait()

    def close(self) -> None:
        self._http.close()

    def _new_token(self, role: Role) -> str:
        return self._key.token_for_user(uuid4(), role, LONGEST_LIFE)  # as long as tests share a shop


def sell_out(shop: RunningShop) -> None:
    """Many buyers want one of a few units each, and these are sold, no more and no less."""
    product = shop.new_product(stock=50)
    requests = [Request("POST", f"/order?product_id={product}&quantity=1", shop.customer)]
    answers = shop.server.load("order", requests, clients=300, seconds=30, most=300).answers
    assert answers == {201: 50, 409: 250}
    eventually(lambda: shop.units(product), (0, 0))
    eventually(lambda: shop.product(product)["status"], False)


def is_up(gateway: str) -> bool:
    try:
        return patient.get(f"{gateway}/health/gateway").is_success
    except httpx.TransportError:
        return False


def _is_open(server: Server, gateway: str) -> bool:
    assert server.process.poll() is None, "the shop has closed"
    return is_up(gateway)


def sends_traces_to(collector: Collector) -> dict[str, str]:
    """Those that a client has sampled."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER_ARG": "0"}


def need_redis() -> None:
    try:
        redis_executable()
    except NoRedis as reason:
        pytest.skip(str(reason))


def need_nginx() -> None:
    try:
        nginx_executable()
    except NoNginx as reason:
        pytest.skip(str(reason))


@contextmanager
def shop_together(folder: Path, **environment: str) -> Iterator[RunningShop]:
    with _shop(folder, ("ecshop", "up", "--port", "0"), environment) as shop:
        yield shop


@contextmanager
def shop_apart(folder: Path, **environment: str) -> Iterator[RunningShop]:
    command = ("ecshop", "up", "--split", "--base-port", str(ports_in_a_row()))
    with _shop(folder, command, environment) as shop:
        yield shop


@contextmanager
def shop_behind_gateway(folder: Path, **environment: str) -> Iterator[RunningShop]:
    """Its services, and a real nginx that all requests of a test go through."""
    port = free_port()
    command = ("ecshop", "up", "--split", "--base-port", str(ports_in_a_row()), "--gateway-port", str(port))
    with _shop(folder, command, NO_LIMIT | environment, f"http://127.0.0.1:{port}") as shop:
        yield shop


@contextmanager
def _shop(
    folder: Path, command: tuple[str, ...], environment: dict[str, str], gateway: str = ""
) -> Iterator[RunningShop]:
    if "ECSHOP_DATABASE_URL" not in environment:
        put_migrated_files(folder)
    with running(folder, *command, contexts=NAMES, **ANY_GUESSES | environment) as server:
        shop = RunningShop(server, environment.get("ECSHOP_DATABASE_URL", ""), gateway)
        try:
            if gateway:
                eventually(lambda: _is_open(server, gateway), True, seconds=START)
            yield shop
            if server.process.poll() != -signal.SIGKILL:  # what a killed one has left is examined when it runs again
                all_is_well(folder, shop.settings.database_url)
        finally:
            shop.close()

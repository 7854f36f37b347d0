"""Customers who come and buy in a running shop, so that there is something to look at."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

import httpx

from ecshop.kernel.errors import EcshopError

_TIMEOUT: Final = 15.0  # seconds
_VISITS: Final = 20
"""Orders of a customer, before another one comes: fewer than the quota of an hour."""
_MOST_UNITS: Final = 3
_DELIVERY: Final = 20
_DICE: Final = random.SystemRandom()


class NoTraffic(EcshopError, code="demo.no_traffic", status=500):
    """Customers find no shop, or no goods in it; `detail` says what to do."""


class Traffic:
    """`staff` is a new token of staff, which delivers what is sold out."""

    def __init__(self, http: httpx.Client, addresses: Mapping[str, str], staff: Callable[[], str]) -> None:
        self._http, self._addresses, self._staff = http, addresses, staff
        self._customer, self._visits = "", 0

    def order(self) -> str:
        """Somebody wants a few units of something; says what came of it. Raises `NoTraffic`."""
        if not self._visits:
            self._customer, self._visits = self._sign_up(), _VISITS
        self._visits -= 1
        product, units = _DICE.choice(self._products()), _DICE.randint(1, _MOST_UNITS)
        wanted = {"lines": [{"product_id": product["id"], "quantity": units}]}
        token, key = self._customer, str(uuid4())
        answer = self._ask("POST", "order", "/orders", token, json=wanted, headers={"idempotency-key": key})
        if answer.is_success:
            return f"{units} of {product['name']}: order {answer.json()['id']}"
        code = answer.json()["code"]
        if code in ("stock.insufficient", "product.discontinued"):
            self._deliver(product["id"])
            return f"{units} of {product['name']}: {code}; {_DELIVERY} are delivered"
        if code == "unauthenticated" or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._visits = 0
        return f"{units} of {product['name']}: {code}"

    def _products(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", "product", "/products?limit=100").json()["items"]
        if not found:
            raise NoTraffic("the shop has no products to buy; start a new one, or one with `ecshop up --demo`")
        return found

    def _sign_up(self) -> str:
        name, password = f"demo-{uuid4().hex[:12]}", str(uuid4())
        new = {"user_name": name, "password": password}
        self._ask("POST", "auth", "/auth/signup", json=new).raise_for_status()
        answer = self._ask("POST", "auth", "/auth/login", json={"username": name, "password": password})
        return str(answer.raise_for_status().json()["access_token"])

    def _deliver(self, product_id: int) -> None:
        delivery = {"delta": _DELIVERY, "reason": "delivery"}
        self._ask("POST", "stock", f"/stock/{product_id}/adjustments", self._staff(), json=delivery)

    def _ask(self, method: str, context: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        headers = options.pop("headers", {}) | ({"authorization": f"Bearer {token}"} if token else {})
        url = self._addresses[context].rstrip("/") + path
        try:
            return self._http.request(method, url, headers=headers, **options)
        except httpx.TransportError as cause:
            raise NoTraffic(f"nothing answers at {url} ({cause}); start the shop first") from cause


def drive(
    addresses: Mapping[str, str], staff: Callable[[], str], rate: float, say: Callable[[str], None], orders: int | None
) -> None:
    """`rate` orders a second, until there were so many `orders`, or without an end. Raises `NoTraffic`."""
    with httpx.Client(timeout=_TIMEOUT) as http:
        traffic, began, done = Traffic(http, addresses, staff), time.monotonic(), 0
        while orders is None or done < orders:
            say(traffic.order())
            done += 1
            time.sleep(max(0.0, began + done / rate - time.monotonic()))

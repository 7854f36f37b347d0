"""A walk through a running shop, such as its first customer takes it; it cleans up behind itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import httpx

from ecshop.kernel.errors import EcshopError
from entrypoints.contexts import CONTEXTS

_LOOK_EVERY: Final = 0.1  # seconds
_TIMEOUT: Final = 15.0  # seconds; a service says by itself that it is late
_UNKNOWN: Final = 10**12
_OWNERS: Final = {path: context.name for context in CONTEXTS for path in context.paths}
_FRONT: Final = CONTEXTS[-1].name
"""Whose health is that of the whole shop."""


class SmokeFailed(EcshopError, code="smoke.failed", status=500):
    """A running shop does not do what it should; `detail` says what it did."""


def sign_in(addresses: Mapping[str, str], name: str, password: str) -> str:
    """The token of an account. Raises `SmokeFailed`."""
    with httpx.Client(timeout=_TIMEOUT) as http:
        return str(Asking(http, addresses).get("POST", "/auth/login", 200, data=_form(name, password))["access_token"])


def walk(addresses: Mapping[str, str], staff: str, say: Callable[[str], None], patience: float) -> None:
    """`addresses` are those of the contexts, which may all be one; events may take `patience` seconds.

    Raises `SmokeFailed` at the first step that goes wrong.
    """
    with httpx.Client(timeout=_TIMEOUT) as http:
        walk = Walk(Asking(http, addresses), staff, patience)
        try:
            for step in walk.steps:
                began = time.monotonic()
                step()
                say(f"ok {time.monotonic() - began:6.2f} s  {step.__doc__}")
        except BaseException:
            with suppress(SmokeFailed):
                walk.clean_up()
            raise


class Asking:
    def __init__(self, http: httpx.Client, addresses: Mapping[str, str]) -> None:
        self._http, self._addresses = http, addresses

    def get(self, method: str, path: str, expected: int, token: str = "", **options: Any) -> Any:
        """The answer's body. Raises `SmokeFailed` unless its status is the `expected` one."""
        headers = options.pop("headers", {}) | ({"authorization": f"Bearer {token}"} if token else {})
        url = self._addresses[_OWNERS.get(path.split("/")[1].split("?", maxsplit=1)[0], _FRONT)].rstrip("/") + path
        try:
            answer = self._http.request(method, url, headers=headers, **options)
        except httpx.HTTPError as cause:
            raise SmokeFailed(f"{method} {url} was not answered: {cause or type(cause).__name__}") from cause
        if answer.status_code != expected:
            raise SmokeFailed(f"{method} {url} was answered {answer.status_code}, not {expected}: {answer.text[:500]}")
        try:
            return answer.json() if answer.content else None
        except ValueError as cause:
            raise SmokeFailed(f"{method} {url} was answered by no service of ecshop: {answer.text[:200]}") from cause


class Walk:
    """A step's docstring is what is said of it."""

    def __init__(self, asking: Asking, staff: str, patience: float) -> None:
        self._get, self._staff, self._patience = asking.get, staff, patience
        self._made: list[str] = []
        self.steps = (
            self.is_ready,
            self.has_docs,
            self.is_stocked,
            self.admits_a_customer,
            self.sells,
            self.sells_once,
            self.is_sold_out,
            self.refuses,
            self.is_stocked_again,
            self.takes_back,
            self.keeps_books,
            self.clean_up,
        )

    def is_ready(self) -> None:
        """it is ready"""
        self._get("GET", "/health/ready", 200)

    def has_docs(self) -> None:
        """its docs have every operation on orders"""
        told = self._get("GET", "/docs/openapi.json", 200)["paths"]
        _expect({"/orders", "/order"} <= set(told), f"the docs know only {', '.join(told)}")

    def is_stocked(self) -> None:
        """staff makes a category, a product in it and five units of that"""
        category = self._get("POST", "/categories", 201, self._staff, json={"name": f"Smoke {uuid4()}"})
        self._made.append(f"/categories/{category['id']}")
        goods = {"name": f"Smoke {uuid4()}", "price": 1200, "category_id": category["id"]}
        self._product: int = self._get("POST", "/products", 201, self._staff, json=goods)["id"]
        self._made.append(f"/products/{self._product}")
        self._get("POST", "/stock", 201, self._staff, json={"product_id": self._product, "stock": 5})

    def admits_a_customer(self) -> None:
        """a customer signs up and logs in"""
        name, password = f"smoke-{uuid4().hex[:12]}", uuid4().hex
        self._get("POST", "/auth/signup", 201, json={"user_name": name, "password": password})
        logged_in = self._get("POST", "/auth/login", 200, data=_form(name, password))
        self._customer: str = logged_in["access_token"]
        _expect(self._get("GET", "/auth/me", 200, self._customer)["user_name"] == name, "the account is another one")

    def sells(self) -> None:
        """the customer orders all five"""
        self._key = str(uuid4())
        self._order: str = self._place(5, 201)["id"]

    def sells_once(self) -> None:
        """a repeat of the order is the same one"""
        again = self._place(5, 201)["id"]
        _expect(again == self._order, f"the repeat of order {self._order} made {again}")

    def is_sold_out(self) -> None:
        """the event takes them off the stock, and the product off sale"""
        self._until(lambda: self._level("stock"), 0, "units on hand")
        self._until(self._is_on_sale, False, "on sale")

    def refuses(self) -> None:
        """an order of it is refused now, and so is one of what there is not"""
        self._key = str(uuid4())
        self._expect_code(self._place(1, 409), "product.discontinued")
        unknown = self._get("POST", f"/order?product_id={_UNKNOWN}&quantity=1", 404, self._customer)
        self._expect_code(unknown, "product.not_found")

    def is_stocked_again(self) -> None:
        """a delivery of three brings it back, and five are too many"""
        delivery = {"delta": 3, "reason": "delivery"}
        self._get("POST", f"/stock/{self._product}/adjustments", 201, self._staff, json=delivery)
        self._until(self._is_on_sale, True, "on sale")
        self._key = str(uuid4())
        self._expect_code(self._place(5, 409), "stock.insufficient")

    def takes_back(self) -> None:
        """the customer cancels, and the units come back"""
        self._get("POST", f"/orders/{self._order}/cancel", 200, self._customer)
        self._until(lambda: self._level("stock"), 8, "units on hand")

    def keeps_books(self) -> None:
        """the ledger has a line for each of it"""
        lines = self._get("GET", f"/stock/{self._product}/movements", 200, self._staff)["items"]
        deltas = [line["delta"] for line in reversed(lines)]
        _expect(deltas == [5, -5, 3, 5], f"the ledger says {deltas}")
        _expect(self._level("reserved") == 0, "units are still reserved")

    def clean_up(self) -> None:
        """product and category are deleted again; the customer and the order stay"""
        left: list[SmokeFailed] = []
        while self._made:
            try:
                self._get("DELETE", self._made.pop(), 204, self._staff)
            except SmokeFailed as failed:
                left.append(failed)
        if left:
            raise left[0]

    def _place(self, quantity: int, expected: int) -> Any:
        path = f"/order?product_id={self._product}&quantity={quantity}"
        return self._get("POST", path, expected, self._customer, headers={"idempotency-key": self._key})

    def _level(self, field: str) -> Any:
        return self._get("GET", f"/stock/{self._product}", 200)[field]

    def _is_on_sale(self) -> Any:
        return self._get("GET", f"/products/{self._product}", 200)["status"]

    def _expect_code(self, problem: Any, code: str) -> None:
        _expect(problem["code"] == code, f"it is refused as {problem['code']}, not as {code}")

    def _until(self, look: Callable[[], Any], expected: object, what: str) -> None:
        ends = time.monotonic() + self._patience
        while (seen := look()) != expected:
            if time.monotonic() > ends:
                raise SmokeFailed(
                    f"{what}: {seen}, not {expected}, after {self._patience:g} s; is the event on its way? "
                    "the log of its worker says, and `ecshop doctor`"
                )
            time.sleep(_LOOK_EVERY)


def _form(name: str, password: str) -> dict[str, str]:
    return {"username": name, "password": password}


def _expect(it_is: bool, else_: str) -> None:
    if not it_is:
        raise SmokeFailed(else_)

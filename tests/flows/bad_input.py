"""What requests that are wrong are made of, and what they are aimed at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from tests.shops import RunningShop
from tests.waiting import eventually

JSON: Final = {"content-type": "application/json"}
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}

INVALID: Final = (400, "request.invalid")
MALFORMED: Final = (400, "request.malformed")
TOO_LARGE: Final = (413, "request.too_large")
WRONG_TYPE: Final = (415, "request.unsupported_media_type")
NOWHERE: Final = (404, "http.not_found")

Refusal = tuple[int, str]

NOT_WHOLE_NUMBERS: Final = ('"3"', "1.0", "1e0", "true", "null", "[]", "{}", '""')
NOT_INT64: Final = (str(2**63), str(-(2**63) - 1), str(10**30))
NOT_TEXT: Final = ("1", "true", "null", "[]", "{}")
INVISIBLE: Final = ("Te\u200ba", "Tea\u202e", "\ufeffTea", "Te\u0007a", "Te\u00ada", "Tea\u200d")
NO_NAMES: Final = tuple(
    json.dumps(text) for text in (*INVISIBLE, "Te\na", "Tea\n", "\u2028", "\u2800", "\u3164", "\u115f", "\ufdfa" * 12)
)
"""What a name is not made of, and what no column holds when it is written out."""

one_shape_is_enough: Final = pytest.mark.one_shape
"""What reads a request is the same code in both shapes of the shop."""


@dataclass(frozen=True)
class Target:
    """What the bad requests of one test are aimed at."""

    shop: RunningShop
    product: int
    unstocked: int
    category: int
    name: str
    buyer: str
    order: str

    def send(
        self, operation: str, content: str | bytes | Iterable[bytes], headers: Mapping[str, str] = JSON
    ) -> httpx.Response:
        method, path = operation.format_map(vars(self)).split(" ", 1)
        token = self.buyer if path.startswith("/order") else self.shop.staff
        if isinstance(content, str):
            content = content.replace("PRODUCT", str(self.product)).replace("UNSTOCKED", str(self.unstocked))
            content = content.replace("USER", self.name).encode()
        return self.shop.call(method, path, token, content=content, headers=dict(headers))


@contextmanager
def untouched(shop: RunningShop) -> Iterator[Target]:
    """Fails when anything is different afterwards."""
    target = replace(_target(shop), category=shop.new_category(), name=f"user-{uuid4()}")
    before = _all_that_could_change(target)
    yield target
    assert _all_that_could_change(target) == before


@cache
def _target(shop: RunningShop) -> Target:
    """One for all tests, since none may change it."""
    product, buyer = shop.new_product(stock=6), shop.new_customer()
    order = shop.order(product, 1, buyer).json()["id"]
    eventually(lambda: (shop.units(product), shop.product(product)["in_stock"]), ((5, 0), True))
    return Target(shop, product, shop.new_product(), 0, "", buyer, order)


def body(good: Mapping[str, Any], **changes: str | None) -> str:
    """The good body as JSON, with some of its values replaced by JSON texts, or left out by None."""
    texts = {name: json.dumps(value) for name, value in good.items()} | changes
    return "{" + ", ".join(f'"{name}": {text}' for name, text in texts.items() if text is not None) + "}"


def cases(good: Mapping[str, Any], **bad: tuple[str | None, ...]) -> list[str]:
    return [body(good, **{name: text}) for name, texts in bad.items() for text in texts]


def line(product: str = "PRODUCT", quantity: str = "1", rest: str = "") -> str:
    return f'{{"product_id": {product}, "quantity": {quantity}{rest}}}'


def lines(*written: str) -> str:
    return f'{{"lines": [{", ".join(written)}]}}'


GOOD_ORDER: Final = lines(line())
GOOD: Final = {
    "POST /orders": GOOD_ORDER,
    "POST /orders/{order}/cancel": '{"reason": "ordered twice"}',
    "POST /products": '{"name": "Tea", "price": 1200}',
    "PUT /products/{product}": '{"price": 1}',
    "POST /categories": '{"name": "Tea"}',
    "PUT /categories/{category}": '{"name": "Tea"}',
    "POST /stock": '{"product_id": UNSTOCKED, "stock": 5}',
    "PUT /stock/{product}": '{"stock": 9}',
    "POST /stock/{product}/adjustments": '{"delta": 1, "reason": "delivery"}',
    "POST /auth/signup": '{"user_name": "USER", "password": "correct horse battery"}',
    "POST /auth/login": '{"username": "USER", "password": "correct horse battery"}',
}
"""For every operation that reads a body, one that it would take."""
TAKES_LESS: Final[Mapping[str, tuple[str, ...]]] = {
    "PUT /products/{product}": ("{}",),
    "POST /orders/{order}/cancel": ("{}", ""),
}
"""What an operation takes that changes nothing, or is satisfied with; an empty text is no body at all."""


def ids(value: object) -> str:
    """A case's name in the test report: short, and with nothing in it that a terminal cannot show."""
    text = value.decode("latin1") if isinstance(value, bytes) else str(value)
    return ascii(text if len(text) <= 70 else f"{text[:60]}... {len(text)}")[1:-1]


def _all_that_could_change(target: Target) -> dict[str, Any]:
    shop = target.shop
    return {
        "orders": shop.call("GET", "/orders", target.buyer).json(),
        "stock": shop.stock(target.product),
        "unstocked": shop.call("GET", f"/stock/{target.unstocked}").status_code,
        "product": shop.product(target.product),
        "newest": shop.call("GET", "/products", params={"sort": "-id", "limit": 1}).json()["items"],
        "category": shop.call("GET", f"/categories/{target.category}").json(),
        "next category": shop.call("GET", f"/categories/{target.category + 1}").status_code,
    }

"""Every list that the shop has, with its filters, sorts and searches, and the pages of a single thing."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx

from bench.fill import Filled, user
from bench.goods import COMMON, RARE, UNKNOWN, is_sold_out
from bench.load import Request
from bench.patient import PATIENCE
from bench.server import Server
from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role

_ROUNDS: Final = 20
_DEEP: Final = 100  # pages
_PAGE: Final = 100
"""Rows of each of them."""
_HALF: Final = timedelta(hours=30)

_OPEN: Final = """
/products
/products?sort=-id
/products?sort=name
/products?sort=-name
/products?sort=price
/products?sort=-price
/products?category_id={category}
/products?category_id={category}&sort=-id
/products?category_id={category}&sort=name
/products?category_id={category}&sort=-name
/products?category_id={category}&sort=price
/products?category_id={category}&sort=-price
/products?in_stock=true
/products?in_stock=true&sort=name
/products?in_stock=false
/products?in_stock=false&sort=price
/products?in_stock=false&category_id={category}
/products?on_sale=false
/products?status=false&sort=name
/products?status=true&sort=-price
/products?updated_after={old}
/products?updated_after={old}&sort=price
/products?updated_after={coming}
/products?name={name}
/products?q={one}
/products?q={one}&sort=name
/products?q={two}
/products?q={two}&sort=price
/products?q={three}
/products?q={three}&sort=-price
/products?q={common}
/products?q={common}&sort=name
/products?q={common}&sort=-price
/products?q={common}&category_id={category}
/products?q={common}&in_stock=false
/products?q={frequent}
/products?q={frequent}&sort=name
/products?q={rare}
/products?q={rare}&sort=price
/products?q={unknown_one}
/products?q={unknown_two}
/products?q={unknown}
/products?q={unknown}&sort=name
/products/{product}
/categories
/stock
/stock?updated_after={old}
/stock?updated_after={recent}
/stock?updated_after={coming}
/stock/{product}
"""
_STAFF: Final = """
/orders
/orders?status=confirmed
/orders?status=fulfilled
/orders?status=cancelled
/orders?product_id={bestseller}
/orders?product_id={product}
/orders?product_id={bestseller}&status=cancelled
/orders?user_id={user}
/orders?user_id={user}&status=cancelled
/orders?placed_after={middle}
/orders?placed_after={recent}
/orders?placed_after={coming}
/orders?placed_before={middle}
/orders?placed_before={middle}&status=confirmed
/orders?placed_before={old}
/orders?updated_after={old}
/orders?updated_after={recent}
/orders?updated_after={coming}
/orders/{order}
/stock/{bestseller}/movements
/stock/{product}/movements
"""
_OWN: Final = """
/orders
/orders?status=confirmed
/orders?status=cancelled
/orders?product_id={bestseller}
/orders?updated_after={old}
"""
_DEEP_PAGES: Final = """
/products
/products?sort=name
/products?sort=-price
/products?category_id={category}&sort=price
/products?q={common}&sort=name
/stock
/orders
/orders?status=cancelled
/orders?status=fulfilled
/stock/{bestseller}/movements
"""
"""Of these the last page but one, or the one behind so many others."""


def lists(server: Server, filled: Filled) -> list[Request]:
    """Named for what they ask; each of them many times, in turn."""
    key = signing_key_in(server.folder)
    staff = key.token_for_user(user(0), Role.STAFF, 3600)
    with httpx.Client(
        base_url=server.url("order"), headers={"authorization": f"Bearer {staff}"}, timeout=PATIENCE
    ) as http:
        asked = _values(http, filled)
        deep = {path: _deep(http, path, asked) for path in _DEEP_PAGES.split()}
    found: list[Request] = []
    for turn in range(_ROUNDS):
        customer = key.token_for_user(user(turn), Role.CUSTOMER, 3600)
        said = {name: _written(values[turn % len(values)]) for name, values in asked.items()}
        found += (Request("GET", path.format(**said), name=path) for path in _OPEN.split())
        found += (Request("GET", path.format(**said), staff, name=path) for path in _STAFF.split())
        found += (Request("GET", path.format(**said), customer, name=f"own {path}") for path in _OWN.split())
        found += (Request("GET", at, staff, name=f"{path} (deep)") for path, at in deep.items() if at)
    return found


def ask_once(server: Server, requests: Sequence[Request]) -> None:
    """What is read from the disk is then in memory. Raises `httpx.HTTPStatusError` for what is refused."""
    with httpx.Client(base_url=server.url("order"), timeout=PATIENCE) as http:
        for request in requests:
            headers = {"authorization": f"Bearer {request.token}"} if request.token else {}
            http.get(request.path, headers=headers).raise_for_status()


def _values(http: httpx.Client, filled: Filled) -> Mapping[str, Sequence[Any]]:
    """What the names in the paths stand for."""
    draw, moment = random.Random(5), datetime.now(UTC)
    products = [draw.randint(1, filled.products) for _ in range(_ROUNDS)]
    return {
        "category": [one["id"] for one in _items(http, "/categories?limit=100")],
        "product": products,
        "bestseller": [number for number in range(1, 2 * _ROUNDS) if not is_sold_out(number)],
        "name": [http.get(f"/products/{product}").raise_for_status().json()["name"] for product in products],
        "order": [one["id"] for one in _items(http, f"/orders?limit={_PAGE}")],
        "user": [user(number) for number in range(_ROUNDS)],
        "middle": [filled.at - _HALF],
        "old": [filled.at - 2 * _HALF],
        "recent": [moment - timedelta(seconds=1)],
        "coming": [moment + timedelta(days=1)],
        "one": ["茶", "a"],
        "two": [*COMMON[1:], "Co"],
        "three": ["万年筆", "kit"],
        "common": COMMON,
        "frequent": ["years", "職人"],
        "rare": RARE,
        "unknown": UNKNOWN,
        "unknown_one": ["鰯", "ж"],
        "unknown_two": ["鰯鯨", "qx"],
    }


def _deep(http: httpx.Client, path: str, asked: Mapping[str, Sequence[Any]]) -> str:
    """The path of a page far behind the first, or nothing where there is one page alone."""
    first = path.format(**{name: _written(values[0]) for name, values in asked.items()})
    first += f"{'&' if '?' in first else '?'}"
    cursor: str | None = ""
    found = ""
    for _ in range(_DEEP):
        here = f"{first}cursor={cursor}&" if cursor else first
        cursor = http.get(f"{here}limit={_PAGE}").raise_for_status().json()["next_cursor"]
        if cursor is None:
            break
        found = f"{first}cursor={cursor}"
    return found


def _written(value: object) -> str:
    return quote(value.isoformat() if isinstance(value, datetime) else str(value))


def _items(http: httpx.Client, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = http.get(path).raise_for_status().json()["items"]
    return items

"""Lists, read to their end."""

from __future__ import annotations

from typing import Any

from tests.shops import RunningShop

NOBODYS = 2**62  # an id that no row has


def walk(shop: RunningShop, path: str, limit: int, token: str = "", **options: Any) -> list[dict[str, Any]]:
    """The whole list, page by page; every page but the last is full."""
    items: list[dict[str, Any]] = []
    while True:
        page = shop.call("GET", path, token, params={"limit": limit, **options}).raise_for_status().json()
        items += page["items"]
        if page["next_cursor"] is None:
            assert len(page["items"]) <= limit
            return items
        assert len(page["items"]) == limit
        options["cursor"] = page["next_cursor"]


def found(shop: RunningShop, limit: int = 100, **options: Any) -> list[int]:
    return [product["id"] for product in walk(shop, "/products", limit, **options)]


def orders(shop: RunningShop, token: str, limit: int = 100, **options: Any) -> list[str]:
    return [order["id"] for order in walk(shop, "/orders", limit, token, **options)]

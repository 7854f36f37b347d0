"""Names as they are typed, and how a shop sorts and finds them, whatever its database."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from tests.flows.lists import found
from tests.shops import RunningShop

SORTED: Final = (
    "2 cups",
    "Apple",
    "CAFE",
    "\uff23aff\u00e8",
    "Cafe\u0301",
    "green tea",
    "GREEN TEAPOT",
    "Zebra",
    "\u00c4pfel",
    "\u304b\u3057",
    "\u304c\u3057",
    "\uff76\uff8c\uff6a",
    "\u8336",
)
FOUND: Final = {
    "cafe": ["CAFE", "Cafe\u0301"],
    "CAF\u00c9": ["CAFE", "Cafe\u0301"],
    "caf": ["CAFE", "\uff23aff\u00e8", "Cafe\u0301"],
    "\uff43\uff41\uff46\uff46\uff45": ["\uff23aff\u00e8"],
    "green \u3000TEA": ["green tea", "GREEN TEAPOT"],
    "apfel": ["\u00c4pfel"],
    "A\u0308PFEL": ["\u00c4pfel"],
    "\u30ab\u30d5\u30a7": ["\uff76\uff8c\uff6a"],
    "\uff76\uff8c": ["\uff76\uff8c\uff6a"],
    "\u304b": ["\u304b\u3057"],
    "\u304b\u3099": ["\u304c\u3057"],
    "\u8336": ["\u8336"],
}
"""By what is looked for: in every case, width and composition, with and without accents; dakuten are no accents."""


def assert_sorted_and_found(shop: RunningShop) -> None:
    tag = uuid4().hex
    made = {name: shop.new_product(name=tag + name) for name in reversed(SORTED)}
    upwards = [made[name] for name in SORTED]
    assert found(shop, 2, q=tag, sort="name") == upwards
    assert found(shop, 3, q=tag, sort="-name") == upwards[::-1]
    for wanted, names in FOUND.items():
        assert found(shop, q=tag + wanted, sort="name") == [made[name] for name in names], ascii(wanted)

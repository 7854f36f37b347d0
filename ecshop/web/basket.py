"""What a visitor wants to order, kept in a cookie: `12x2.22x5` is two of product 12 and five of 22."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from ecshop.kernel.values import MAX_INT64
from ecshop.order.contract import MAX_LINES, MAX_QUANTITY, WantedLine

_LINE: Final = re.compile(r"([1-9]\d{0,18})x([1-9]\d{0,4})")


class Basket(NamedTuple):
    """How many of which products, in the order in which they were put in."""

    lines: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, cookie: str) -> Basket:
        """What is no line is left out: anybody may have written it."""
        found: dict[int, int] = {}
        for match in filter(None, map(_LINE.fullmatch, cookie.split(".")[:MAX_LINES])):
            if int(match[1]) <= MAX_INT64:
                found[int(match[1])] = min(int(match[2]), MAX_QUANTITY)
        return cls(tuple(found.items()))

    @property
    def written(self) -> str:
        return ".".join(f"{product}x{quantity}" for product, quantity in self.lines)

    @property
    def product_ids(self) -> list[int]:
        return [product for product, _ in self.lines]

    def wanted(self, product_ids: Iterable[int] | None = None) -> tuple[WantedLine, ...]:
        taken = {*self.product_ids} if product_ids is None else {*product_ids}
        return tuple(WantedLine(product, quantity) for product, quantity in self.lines if product in taken)

    def with_more(self, product: int, quantity: int) -> Basket:
        """Of a product that is in it already there are so many more; a basket that is full stays as it is."""
        return self.with_line(product, dict(self.lines).get(product, 0) + quantity)

    def with_line(self, product: int, quantity: int) -> Basket:
        """None of a product takes its line out."""
        lines = dict(self.lines) | {product: min(quantity, MAX_QUANTITY)}
        kept = [(one, number) for one, number in lines.items() if number > 0]
        return Basket(tuple(kept[:MAX_LINES]))

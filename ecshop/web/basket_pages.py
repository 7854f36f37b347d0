"""The basket, and how it becomes an order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import uuid4

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import UNSET

from ecshop.kernel.conditions import IdempotencyKeyReused
from ecshop.kernel.validation import wrong
from ecshop.kernel.values import MAX_INT64
from ecshop.order.contract import (
    MAX_QUANTITY,
    MAX_TOTAL,
    MixedCurrencies,
    NewOrder,
    OrderExpired,
    PriceChanged,
    QuotaExceeded,
    TooManyUnits,
    TotalTooLarge,
    WantedLine,
)
from ecshop.product.contract import Product, ProductDiscontinued, ProductNotFound
from ecshop.stock.contract import InsufficientStock, StockItem
from ecshop.web.basket import Basket
from ecshop.web.refusals import said
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import BASKET, ORDER_KEY, Visitor

_PLACE: Final = "/shop/basket"
_KEY: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_MANY_DIGITS: Final = 30
_REFUSED: Final = (
    IdempotencyKeyReused,
    InsufficientStock,
    MixedCurrencies,
    OrderExpired,
    PriceChanged,
    ProductDiscontinued,
    ProductNotFound,
    QuotaExceeded,
    TooManyUnits,
    TotalTooLarge,
)
"""What an order can be refused for."""


class _Line(NamedTuple):
    product_id: int
    quantity: int
    product: Product | None
    possible: int
    """How many of them can be had now."""

    @property
    def is_gone(self) -> bool:
        return not self.possible


class BasketPages(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def basket(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, added = await site.visitor(request), dict(site.asked(request)).get("added", "")
        return await _shown(site, visitor, added=added)

    @post(f"{_PLACE}/lines")
    async def add(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor = await site.visitor(request)
        form = await site.sent(request, visitor)
        product = await site.product.get(_whole(form, "product_id"))
        more = visitor.basket.with_more(product.id, _quantity(form))
        if product.id not in more.product_ids:
            return await _shown(
                site, visitor, visitor.words("Your basket is full. Order what is in it, or take something out.")
            )
        visitor.keep(BASKET, more.written)
        return site.pages.lead(visitor, f"{_PLACE}?added={product.id}")

    @post(f"{_PLACE}/lines/{{product_id:int}}")
    async def change(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[Any]:
        visitor = await site.visitor(request)
        form = await site.sent(request, visitor)
        quantity = 0 if "remove" in form else _whole(form, "quantity")
        visitor.keep(BASKET, visitor.basket.with_line(product_id, quantity).written)
        return site.pages.lead(visitor, _PLACE)

    @post(f"{_PLACE}/now")
    async def order_now(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        """One product, past the basket; into it where that cannot be."""
        visitor = await site.visitor(request)
        form = await site.sent(request, visitor)
        product = await site.product.get(_whole(form, "product_id"))
        line = WantedLine(product.id, _quantity(form))
        in_basket = visitor.basket.with_line(line.product_id, line.quantity)
        if visitor.actor is None:
            visitor.keep(BASKET, in_basket.written)
            return site.pages.lead(visitor, f"/shop/sign-in?next={_PLACE}")
        try:
            order = await site.order.place(visitor.actor, NewOrder((line,)), _key(form))
        except _REFUSED as refusal:
            visitor.keep(BASKET, in_basket.written)
            return await _shown(site, visitor, said(refusal, visitor.words))
        return site.pages.lead(visitor, f"/shop/orders/{order.id}")

    @post(f"{_PLACE}/order")
    async def order(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        """All of it, or with `take=left` what can be had; what was ordered leaves the basket."""
        visitor = await site.visitor(request)
        form = await site.sent(request, visitor)
        actor, basket = visitor.require_actor(), visitor.basket
        wanted = basket.wanted()
        if form.get("take") == "left":
            lines = await _lines(site, visitor)
            wanted = tuple(WantedLine(line.product_id, line.possible) for line in lines if line.possible)
        if not wanted:
            return await _shown(site, visitor)
        new = NewOrder(wanted, min(_whole(form, "expected_total"), MAX_TOTAL), form.get("currency") or UNSET)
        try:
            order = await site.order.place(actor, new, _key(form))
        except _REFUSED as refusal:
            visitor.forget(ORDER_KEY)
            return await _shown(site, visitor, said(refusal, visitor.words))
        visitor.keep(BASKET, _without(basket, wanted).written)
        visitor.forget(ORDER_KEY)
        return site.pages.lead(visitor, f"/shop/orders/{order.id}")


async def _shown(site: Site, visitor: Visitor, notice: str = "", added: str = "") -> Response[bytes]:
    lines = await _lines(site, visitor)
    there = [(line.product, line.possible) for line in lines if line.product is not None and line.possible]
    currencies = {product.currency for product, _ in there}
    return site.pages.answer(
        visitor,
        "basket.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if notice else HTTPStatus.OK,
        here="basket",
        notice=notice,
        added=next((line.product.name for line in lines if line.product and str(line.product_id) == added), ""),
        lines=lines,
        is_less=any(line.possible < line.quantity for line in lines),
        total=sum(product.price * number for product, number in there) if len(currencies) == 1 else None,
        currency=next(iter(currencies), ""),
        key=visitor.order_key,
    )


async def _lines(site: Site, visitor: Visitor) -> list[_Line]:
    basket = visitor.basket
    products = await site.products(basket.product_ids)
    items = await site.items(products, visitor)
    return [
        _Line(id_, quantity, products.get(id_), _possible(quantity, products.get(id_), items.get(id_)))
        for id_, quantity in basket.lines
    ]


def _possible(quantity: int, product: Product | None, item: StockItem | None) -> int:
    """As far as the shop tells: the order itself finds out."""
    if product is None or not product.status or (item is not None and not item.in_stock):
        return 0
    return min(quantity, item.available) if item is not None and isinstance(item.available, int) else quantity


def _without(basket: Basket, ordered: Sequence[WantedLine]) -> Basket:
    left = basket
    for line in ordered:
        left = left.with_line(line.product_id, 0)
    return left


def _key(form: Mapping[str, str]) -> str:
    """The page's own: who sends it twice orders once."""
    sent = form.get("idempotency_key", "")
    return sent if _KEY.fullmatch(sent) else str(uuid4())


def _whole(form: Mapping[str, str], field: str) -> int:
    """Raises `InvalidRequest`."""
    digits = form.get(field, "").strip()
    if not digits.isdecimal() or len(digits) > _MANY_DIGITS:
        raise wrong(field, "must be a whole number")
    return min(int(digits), MAX_INT64)


def _quantity(form: Mapping[str, str]) -> int:
    """Raises `InvalidRequest`."""
    quantity = _whole({"quantity": "1", **form}, "quantity")
    if not 1 <= quantity <= MAX_QUANTITY:
        raise wrong("quantity", f"must be a whole number from 1 to {MAX_QUANTITY}")
    return quantity

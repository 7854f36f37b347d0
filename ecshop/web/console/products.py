"""What the shop sells: a product's name, words, price and category, and the switch that takes it off sale."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
from babel.numbers import get_currency_precision
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.kernel.errors import InvalidRequest
from ecshop.product.contract import CategoryNotFound, NewProduct, Product, ProductChange
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor

_PLACE: Final = "/console/products"
_CURRENCY: Final = "JPY"
_REFUSED: Final = (msgspec.ValidationError, InvalidRequest, CategoryNotFound)


class ConsoleProducts(Controller):
    include_in_schema = False

    @get(f"{_PLACE}/new")
    async def blank(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, _ = await site.staff(request)
        return await _shown(site, visitor, None, {"currency": _CURRENCY, "on_sale": "1"})

    @post(f"{_PLACE}/new")
    async def create(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        currency = form.get("currency", "").strip().upper()
        try:
            wanted = msgspec.convert(_fields(form, currency) | {"currency": currency}, NewProduct)
            made = await site.product.create(actor, wanted)
        except _REFUSED as refusal:
            return await _shown(site, visitor, None, form, str(refusal))
        return site.pages.lead(visitor, f"{_PLACE}/{made.id}")

    @get(f"{_PLACE}/{{product_id:int}}")
    async def product(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[bytes]:
        visitor, _ = await site.staff(request)
        product = await site.product.get(product_id)
        return await _shown(site, visitor, product, _form(product))

    @post(f"{_PLACE}/{{product_id:int}}")
    async def change(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        form, product = await site.sent(request, visitor), await site.product.get(product_id)
        try:
            wanted = msgspec.convert(_fields(form, product.currency), ProductChange)
            await site.product.change(actor, product_id, wanted)
        except _REFUSED as refusal:
            return await _shown(site, visitor, product, form, str(refusal))
        return site.pages.lead(visitor, f"{_PLACE}/{product_id}")


async def _shown(
    site: Site, visitor: Visitor, product: Product | None, form: Mapping[str, str], error: str = ""
) -> Response[bytes]:
    return site.pages.answer(
        visitor,
        "console/product.html",
        status=422 if error else 200,
        here="stock",
        product=product,
        form=form,
        error=error,
        categories=(await site.product.list_categories(None, 100)).items,
    )


def _form(product: Product) -> dict[str, str]:
    places = get_currency_precision(product.currency)
    return {
        "name": product.name,
        "detail": product.detail,
        "price": f"{Decimal(product.price).scaleb(-places):f}",
        "currency": product.currency,
        "category": str(product.category_id or ""),
        "on_sale": "1" if product.on_sale else "",
    }


def _fields(form: Mapping[str, str], currency: str) -> dict[str, Any]:
    """As the API takes them; a price that is none stays as it was written, and is refused."""
    category = form.get("category", "")
    return {
        "name": form.get("name", ""),
        "detail": form.get("detail", "").replace("\r\n", "\n"),
        "price": _minor_units(form.get("price", ""), currency),
        "category_id": int(category) if category.isascii() and category.isdigit() else None,
        "on_sale": form.get("on_sale") == "1",
    }


def _minor_units(written: str, currency: str) -> int | str:
    try:
        units = Decimal(written.strip()).scaleb(get_currency_precision(currency or _CURRENCY))
        return int(units) if units.is_finite() and units == units.to_integral_value() else written
    except (InvalidOperation, OverflowError):
        return written

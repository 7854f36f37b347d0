"""What the shop sells: a product's name, words, price, category and picture, and the switch that takes it off sale."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any, Final

from babel.numbers import get_currency_precision
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import UnsetType

from ecshop.kernel.errors import BodyTooLarge, EcshopError, InvalidRequest, Unavailable
from ecshop.kernel.identity import Actor
from ecshop.product.contract import (
    LARGEST_PICTURE,
    CategoryNotFound,
    NewProduct,
    Product,
    ProductChange,
    ProductNotFound,
    UnusablePicture,
)
from ecshop.web.forms import Form
from ecshop.web.patience import one_by_one, otherwise
from ecshop.web.refusals import by_field, read, said
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor
from ecshop.web.words import Words

_PLACE: Final = "/console/products"
_CURRENCY: Final = "JPY"
_MISSED: Final = "missed"
_LARGEST_FORM: Final = 2 * LARGEST_PICTURE
"""So that what is somewhat too large is told on the page; a server hangs up on whatever is larger."""
_REFUSED: Final = (InvalidRequest, CategoryNotFound, BodyTooLarge, UnusablePicture)


class ConsoleProducts(Controller):
    include_in_schema = False

    @get(f"{_PLACE}/new")
    async def blank(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, _ = await site.staff(request)
        return await _shown(site, visitor, None, {"currency": _CURRENCY, "on_sale": "1"})

    @post(f"{_PLACE}/new", request_max_body_size=_LARGEST_FORM)
    async def create(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor, actor = await site.staff(request)
        form, made = await site.sent(request, visitor), None
        currency = form.get("currency", "").strip().upper()
        try:
            wanted = read(_fields(form, currency) | {"currency": currency}, NewProduct)
            made = await site.product.create(actor, wanted)
            await _illustrate(site, actor, made.id, form)
        except Unavailable:
            if made is None:
                raise
            return site.pages.lead(visitor, f"{_PLACE}/{made.id}?picture={_MISSED}")
        except _REFUSED as refusal:
            return await _shown(site, visitor, made, form, _errors(refusal, currency, visitor.words))
        return site.pages.lead(visitor, f"{_PLACE}/{made.id}")

    @get(f"{_PLACE}/{{product_id:int}}")
    async def product(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[bytes]:
        visitor, _ = await site.staff(request)
        product = await site.product.get(product_id)
        if dict(site.asked(request)).get("picture") == _MISSED and product.picture is None:
            says = {"picture": visitor.words("The shop did not answer. Choose it once more.")}
            return await _shown(site, visitor, product, _form(product) | {"new": "1"}, says, status=200)
        return await _shown(site, visitor, product, _form(product))

    @post(f"{_PLACE}/{{product_id:int}}", request_max_body_size=_LARGEST_FORM)
    async def change(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[Any]:
        """A picture that cannot be used changes nothing else either."""
        visitor, actor = await site.staff(request)
        form, product = await site.sent(request, visitor), await site.product.get(product_id)
        try:
            wanted = read(_fields(form, product.currency) | _picture(form), ProductChange)
            await _must_be_known(site, wanted.category_id)
            await _illustrate(site, actor, product_id, form)
            with one_by_one(has_begun="picture" in form.files):
                await site.product.change(actor, product_id, wanted)
        except _REFUSED as refusal:
            return await _shown(site, visitor, product, form, _errors(refusal, product.currency, visitor.words))
        return site.pages.lead(visitor, f"{_PLACE}/{product_id}")

    @post(f"{_PLACE}/{{product_id:int}}/delete")
    async def delete(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[Any]:
        """Also one that somebody else has deleted meanwhile."""
        visitor, actor = await site.staff(request)
        await site.sent(request, visitor)
        with suppress(ProductNotFound):
            await site.product.delete(actor, product_id)
        return site.pages.lead(visitor, _PLACE)


async def _shown(
    site: Site,
    visitor: Visitor,
    product: Product | None,
    form: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
) -> Response[bytes]:
    items = await otherwise(site.items([product], visitor), {}) if product else {}
    return site.pages.answer(
        visitor,
        "console/product.html",
        status=status if errors else HTTPStatus.OK,
        here="products",
        product=product,
        item=items.get(product.id) if product else None,
        form=form,
        errors=errors or {},
        categories=await site.categories(),
    )


async def _must_be_known(site: Site, category_id: int | UnsetType | None) -> None:
    """Before anything is changed. Raises `CategoryNotFound`: somebody has deleted it since the page was opened."""
    if category_id and category_id not in {category.id for category in await site.categories()}:
        raise CategoryNotFound(f"there is no category {category_id}")


async def _illustrate(site: Site, actor: Actor, product_id: int, form: Form) -> None:
    """Raises `BodyTooLarge` or `UnusablePicture`."""
    if image := form.files.get("picture"):
        if len(image) > LARGEST_PICTURE:
            raise BodyTooLarge("the image is too large")
        await site.product.put_picture(actor, product_id, image)


def _errors(refusal: EcshopError, currency: str, _: Words) -> dict[str, str]:
    """By the form's field."""
    if isinstance(refusal, InvalidRequest):
        errors = by_field(refusal, _)
        return errors | {"price": _price(currency, _)} if "price" in errors else errors
    if isinstance(refusal, BodyTooLarge):
        return {"picture": _("An image may have {n} MB at most.", n=LARGEST_PICTURE // 1024**2)}
    return {"picture" if isinstance(refusal, UnusablePicture) else "category_id": said(refusal, _)}


def _price(currency: str, _: Words) -> str:
    if get_currency_precision(currency or _CURRENCY):
        return _("Write an amount like 12.50.")
    return _("{currency} has no decimals: write a whole amount.", currency=currency)


def _picture(form: Form) -> dict[str, None]:
    """That there is none any more, where a new one does not say which."""
    return {"picture": None} if form.get("no_picture") == "1" and "picture" not in form.files else {}


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

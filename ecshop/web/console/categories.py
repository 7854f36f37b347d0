"""The shelves that products stand on: added, renamed, and taken away when they are empty."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.kernel.errors import EcshopError
from ecshop.product.contract import CategoryBody, CategoryExists, CategoryInUse, CategoryNotFound
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor
from ecshop.web.words import Words

_PLACE: Final = "/console/categories"
_ON_A_PAGE: Final = 50
_REFUSALS: Final = (CategoryExists, CategoryInUse, CategoryNotFound, msgspec.ValidationError)


class ConsoleCategories(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def categories(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, _ = await site.staff(request)
        return await _shown(site, visitor, dict(site.asked(request)).get("cursor"))

    @post(_PLACE)
    async def add(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor, actor = await site.staff(request)
        name = (await site.sent(request, visitor)).get("name", "")
        try:
            await site.product.create_category(actor, _named(name))
        except _REFUSALS as refusal:
            return await _shown(site, visitor, error=_said_of(refusal, visitor.words), name=name)
        return site.pages.lead(visitor, _PLACE)

    @post(f"{_PLACE}/{{category_id:int}}")
    async def change(
        self, site: NamedDependency[Site], request: AnyRequest, category_id: FromPath[int]
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        try:
            if "delete" in form:
                await site.product.delete_category(actor, category_id)
            else:
                await site.product.rename_category(actor, category_id, _named(form.get("name", "")))
        except _REFUSALS as refusal:
            return await _shown(site, visitor, error=_said_of(refusal, visitor.words))
        return site.pages.lead(visitor, _PLACE)


async def _shown(
    site: Site, visitor: Visitor, cursor: str | None = None, *, error: str = "", name: str = ""
) -> Response[bytes]:
    page = await site.product.list_categories(cursor, _ON_A_PAGE)
    return site.pages.answer(
        visitor,
        "console/categories.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
        here="categories",
        categories=page.items,
        error=error,
        name=name,
        next_page=page.next_cursor and f"{_PLACE}?cursor={page.next_cursor}",
    )


def _named(name: str) -> CategoryBody:
    """Raises `ValidationError`."""
    return msgspec.convert({"name": name}, CategoryBody)


def _said_of(refusal: EcshopError | msgspec.ValidationError, _: Words) -> str:
    if isinstance(refusal, CategoryExists):
        return _("Another category has this name. Choose another one.")
    if isinstance(refusal, CategoryInUse):
        return _("Products stand in it: move them first.")
    if isinstance(refusal, CategoryNotFound):
        return _("It is no longer there.")
    return _("A name is text of 1 to 100 characters.")

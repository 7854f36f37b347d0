"""The shelves that products stand on: added, renamed, and taken away when they are empty."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.kernel.errors import InvalidRequest
from ecshop.product.contract import CategoryBody, CategoryExists, CategoryInUse, CategoryNotFound
from ecshop.web.refusals import read, said
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor

_PLACE: Final = "/console/categories"
_ON_A_PAGE: Final = 50
_REFUSALS: Final = (CategoryExists, CategoryInUse, CategoryNotFound, InvalidRequest)


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
            await site.product.create_category(actor, read({"name": name}, CategoryBody))
        except _REFUSALS as refusal:
            return await _shown(site, visitor, error=said(refusal, visitor.words), name=name)
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
                body = read({"name": form.get("name", "")}, CategoryBody)
                await site.product.rename_category(actor, category_id, body)
        except _REFUSALS as refusal:
            return await _shown(site, visitor, error=said(refusal, visitor.words))
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

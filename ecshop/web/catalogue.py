"""The shelf and its products."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final, cast, get_args
from urllib.parse import urlencode
from uuid import uuid4

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec.structs import replace

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.http.safety import FOR_GOOD
from ecshop.kernel.values import MAX_INT64
from ecshop.product.contract import LONGEST_NAME, Product, ProductFilter, ProductNotFound, Sort
from ecshop.web.live import Streams
from ecshop.web.pages import PICTURES, availability
from ecshop.web.patience import otherwise
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor
from ecshop.web.watch import Onlooker, Watch
from ecshop.web.words import gettext_noop

_ON_A_PAGE: Final = 24
_OTHERS: Final = 4
_MOST_CATEGORIES: Final = 20
_SORTS: Final = (
    ("", gettext_noop("Number")),
    ("name", gettext_noop("Name")),
    ("price", gettext_noop("Price, lowest first")),
    ("-price", gettext_noop("Price, highest first")),
)
_CARRIED: Final = ("q", "category", "from", "to", "in_stock", "sort")


class CataloguePages(Controller):
    include_in_schema = False

    @get("/")
    async def grid(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, asked = await site.visitor(request), site.asked(request)
        wanted, cursor = _wanted(asked), dict(asked).get("cursor")
        page = await site.product.list(wanted, cursor, _ON_A_PAGE)
        categories = await site.categories()
        chosen = [one.name for one in categories if one.id in wanted.category_id]
        kept = [(name, value) for name, value in asked if name in _CARRIED and value]
        following = urlencode([*kept, ("cursor", page.next_cursor)]) if page.next_cursor else ""
        return site.pages.answer(
            visitor,
            "grid.html",
            here="grid",
            title=", ".join(chosen) or visitor.words("All products"),
            q=wanted.q or "",
            wanted=wanted,
            categories=categories,
            products=page.items,
            items=await otherwise(site.items(page.items, visitor), {}),
            is_whole=not page.next_cursor and not cursor,
            sorts=_SORTS,
            carried=[(name, value) for name, value in kept if name != "sort"],
            next_page=following and f"/?{following}",
        )

    @get(f"{PICTURES}{{name:str}}")
    async def picture(self, site: NamedDependency[Site], name: FromPath[str]) -> Response[bytes]:
        headers = {"cache-control": FOR_GOOD}
        return Response(await site.product.picture(name), media_type="image/webp", headers=headers)

    @get("/shop/products/{product_id:int}")
    async def product(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[bytes]:
        visitor, product = await site.visitor(request), await site.product.get(max(0, min(product_id, MAX_INT64)))
        categories = await site.categories()
        category = next((one for one in categories if one.id == product.category_id), None)
        near = ProductFilter(category_id=(category.id,) if category else (), status=True)
        found = await site.product.list(near, None, _OTHERS + 1)
        others = [one for one in found.items if one.id != product.id][:_OTHERS]
        items = await otherwise(site.items([product, *others], visitor), {})
        return site.pages.answer(
            visitor,
            "product.html",
            here="product",
            product=product,
            category=category,
            item=items.get(product.id),
            others=others,
            items=items,
            key=str(uuid4()),
        )

    @get("/shop/products/{product_id:int}/live")
    async def live(
        self,
        site: NamedDependency[Site],
        streams: NamedDependency[Streams],
        watch: NamedDependency[Watch],
        request: AnyRequest,
        product_id: FromPath[int],
    ) -> Response[Any]:
        """Whether it can be bought, and again whenever that has changed."""
        visitor, product = await site.visitor(request), await site.product.get(max(0, min(product_id, MAX_INT64)))
        return streams.answer(visitor, _told(site, visitor, product, watch))


async def _told(site: Site, visitor: Visitor, product: Product, watch: Watch) -> AsyncIterator[tuple[str, str]]:
    """The form anew only where it comes or goes: what somebody has typed in it stays."""
    seen: tuple[Any, ...] = ()
    with suppress(EcshopError):
        async for _ in watch.looks(Onlooker(visitor.actor, products=[product.id])):
            product, is_deleted = await _anew(site, product)
            item = (await site.items([product], visitor)).get(product.id)
            said = availability(product, item)
            if said != seen:
                is_another = bool(seen) and (said[0] == "off") != (seen[0] == "off")
                shown = {"product": product, "item": item, "key": str(uuid4()), "is_another": is_another}
                yield "", site.pages.written(visitor, "product_live.html", **shown)
                seen = said
            if is_deleted:
                yield "done", ""
                return


async def _anew(site: Site, product: Product) -> tuple[Product, bool]:
    """The product as it is now, and whether it was deleted."""
    try:
        return await site.product.get(product.id), False
    except ProductNotFound:
        return replace(product, status=False, on_sale=False), True


def _wanted(asked: list[tuple[str, str]]) -> ProductFilter:
    """What cannot be meant is left out: somebody has typed it, or an old link has it."""
    last = dict(asked)
    sort = last.get("sort")
    numbers = [_number(value) for name, value in asked if name == "category"]
    return ProductFilter(
        q=(last.get("q") or "")[:LONGEST_NAME] or None,
        category_id=tuple(sorted({one for one in numbers if one})[:_MOST_CATEGORIES]),
        price_from=_number(last.get("from", "")),
        price_to=_number(last.get("to", "")),
        status=True if last.get("in_stock") else None,
        sort=cast(Any, sort) if sort in get_args(Sort) else None,
    )


def _number(text: str) -> int | None:
    digits = text.strip().replace(",", "")
    return int(digits) if digits.isdecimal() and len(digits) <= len(str(10**12)) else None

"""All that the shop has on its list, also what it does not sell now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast, get_args
from urllib.parse import urlencode

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from msgspec.structs import replace

from ecshop.product.contract import LONGEST_NAME, ProductFilter, Sort
from ecshop.web.console.numbers import whole
from ecshop.web.console.story import ask
from ecshop.web.site import AnyRequest, Site
from ecshop.web.words import gettext_noop

_PLACE: Final = "/console/products"
_ON_A_PAGE: Final = 25
_KEPT: Final = ("q", "category", "state", "sort")
_STATES: Final[Mapping[str, tuple[str, Mapping[str, bool]]]] = {
    "": (gettext_noop("Any state"), {}),
    "buyable": (gettext_noop("In stock"), {"status": True}),
    "gone": (gettext_noop("Sold out"), {"on_sale": True, "in_stock": False}),
    "withdrawn": (gettext_noop("Off sale"), {"on_sale": False}),
}
_SORTS: Final = {
    "": gettext_noop("Number"),
    "name": gettext_noop("Name"),
    "price": gettext_noop("Price, lowest first"),
    "-price": gettext_noop("Price, highest first"),
}


class ConsoleProductList(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def products(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, _ = await site.staff(request)
        asked = dict(site.asked(request))
        page = await site.product.list(_wanted(asked), asked.get("cursor"), _ON_A_PAGE)
        kept = {name: asked[name] for name in _KEPT if asked.get(name)}
        categories, silent = await site.categories(), list[str]()
        return site.pages.answer(
            visitor,
            "console/products.html",
            here="products",
            asked=asked,
            states={name: says for name, (says, _) in _STATES.items()},
            sorts=_SORTS,
            categories=categories,
            names={category.id: category.name for category in categories},
            products=page.items,
            items=await ask("stock", silent, site.items(page.items, visitor), {}),
            silent=silent,
            next_page=page.next_cursor and f"{_PLACE}?{urlencode(kept | {'cursor': page.next_cursor})}",
        )


def _wanted(asked: Mapping[str, str]) -> ProductFilter:
    """What cannot be meant is left out."""
    category, sort = whole(asked.get("category", "")), asked.get("sort")
    _, state = _STATES.get(asked.get("state", ""), _STATES[""])
    wanted = ProductFilter(
        q=asked.get("q", "").strip()[:LONGEST_NAME] or None,
        category_id=(category,) if category else (),
        sort=cast(Any, sort) if sort in get_args(Sort) else None,
    )
    return replace(wanted, **state)

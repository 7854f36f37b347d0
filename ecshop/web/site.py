"""What every page is made of: the contexts' contracts, the templates, and who is looking."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from litestar import Request

from ecshop.auth.contract import AuthClient
from ecshop.kernel.http.headers import header
from ecshop.kernel.identity import Actor, Role, require_role
from ecshop.kernel.tokens import Verifier
from ecshop.order.contract import OrderClient
from ecshop.oversight.contract import OversightClient
from ecshop.product.contract import Category, Product, ProductNotFound, StaffProductClient
from ecshop.stock.contract import SoldOut, StaffStockClient, StockItem
from ecshop.web import unsent
from ecshop.web.forms import Form, form_of, pairs_of
from ecshop.web.pages import Pages
from ecshop.web.visitor import Visitor
from ecshop.web.words import Words

AnyRequest = Request[Any, Any, Any]

_VISITOR: Final = "visitor"
_AT_ONCE: Final = 100


@dataclass(frozen=True)
class Site:
    auth: AuthClient
    product: StaffProductClient
    stock: StaffStockClient
    order: OrderClient
    oversight: Mapping[str, OversightClient]
    verifier: Verifier
    pages: Pages
    words: Mapping[str, Words]

    def anybody(self, request: AnyRequest) -> Visitor:
        """Whoever was recognised for this request, or might have been: what cookies have changed is not lost."""
        known: Visitor | None = request.scope["state"].get(_VISITOR)
        return known or Visitor(request, self.words, self.verifier, self.auth)

    async def visitor(self, request: AnyRequest) -> Visitor:
        visitor = request.scope["state"][_VISITOR] = self.anybody(request)
        await visitor.recognise()
        return visitor

    async def staff(self, request: AnyRequest) -> tuple[Visitor, Actor]:
        """Raises `SignInNeeded` or `Forbidden`."""
        visitor = await self.visitor(request)
        if visitor.actor is None and request.method == "POST":
            await self.sent(request, visitor)
        actor = visitor.require_actor()
        require_role(actor, Role.STAFF)
        return visitor, actor

    def asked(self, request: AnyRequest) -> list[tuple[str, str]]:
        """The query, as far as it is one."""
        return pairs_of(request.scope["query_string"])

    async def sent(self, request: AnyRequest, visitor: Visitor) -> Form:
        """A form of ours, kept in case that it is sent in vain.

        Raises `Forbidden` for one of another site, and `UnsupportedMediaType` for what is none.
        """
        form = form_of(header(request.scope, b"content-type") or "", await request.body())
        visitor.check_form(form)
        unsent.keep(request.scope, form)
        return form

    async def items(self, products: Iterable[Product | int], visitor: Visitor) -> Mapping[int, StockItem]:
        """By product, as far as stock knows it."""
        ids = [one if isinstance(one, int) else one.id for one in products]
        found = await self.stock.get_many(ids, visitor.actor) if ids else ()
        return {item.product_id: item for item in found}

    async def off_sale_since(self, sold_out: Iterable[SoldOut]) -> Mapping[int, datetime]:
        """By product, when the catalogue knew that its last unit was gone."""
        found: dict[int, datetime] = {}
        for one in sold_out:
            with suppress(ProductNotFound):
                for change in (await self.product.availability(one.product_id, one.version)).items:
                    found[one.product_id] = change.at
        return found

    async def categories(self) -> Sequence[Category]:
        """All of them, in the order of their names."""
        page = await self.product.list_categories(None, _AT_ONCE)
        found = [*page.items]
        while page.next_cursor:
            page = await self.product.list_categories(page.next_cursor, _AT_ONCE)
            found += page.items
        return found

    async def products(self, ids: Sequence[int]) -> Mapping[int, Product]:
        """Those that there still are."""
        found = await asyncio.gather(*map(self._product, ids))
        return {product.id: product for product in found if product}

    async def _product(self, id_: int) -> Product | None:
        with suppress(ProductNotFound):
            return await self.product.get(id_)
        return None

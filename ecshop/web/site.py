"""What every page is made of: the contexts' contracts, the templates, and who is looking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Request

from ecshop.auth.contract import AuthClient
from ecshop.kernel.tokens import Verifier
from ecshop.order.contract import OrderClient
from ecshop.product.contract import Product, ProductClient, ProductNotFound
from ecshop.stock.contract import StockClient, StockItem
from ecshop.web.pages import Pages
from ecshop.web.visitor import Visitor
from ecshop.web.words import Words

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True)
class Site:
    auth: AuthClient
    product: ProductClient
    stock: StockClient
    order: OrderClient
    verifier: Verifier
    pages: Pages
    words: Mapping[str, Words]

    def stranger(self, request: AnyRequest) -> Visitor:
        """Whoever it is."""
        return Visitor(request, self.words, self.verifier, self.auth)

    async def visitor(self, request: AnyRequest) -> Visitor:
        visitor = self.stranger(request)
        await visitor.recognise()
        return visitor

    async def sent(self, request: AnyRequest, visitor: Visitor) -> Mapping[str, str]:
        """A form of ours. Raises `Forbidden` for one of another site."""
        form = {name: str(value) for name, value in (await request.form()).items()}
        visitor.check_form(form)
        return form

    async def items(self, products: Iterable[Product | int], visitor: Visitor) -> Mapping[int, StockItem]:
        """By product, as far as stock knows it."""
        ids = [one if isinstance(one, int) else one.id for one in products]
        found = await self.stock.get_many(ids, visitor.actor) if ids else ()
        return {item.product_id: item for item in found}

    async def products(self, ids: Sequence[int]) -> Mapping[int, Product]:
        """Those that there still are."""
        found: dict[int, Product] = {}
        for id_ in ids:
            try:
                found[id_] = await self.product.get(id_)
            except ProductNotFound:
                continue
        return found

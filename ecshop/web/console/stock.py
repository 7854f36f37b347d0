"""Units of each product: on hand, reserved, available; counted, adjusted with a reason, and their ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.kernel.clock import now
from ecshop.kernel.identity import Actor
from ecshop.kernel.values import Page
from ecshop.product.contract import Product, ProductFilter
from ecshop.stock.contract import (
    MAX_UNITS,
    Adjustment,
    Movement,
    StockFilter,
    StockItem,
    StockLevel,
    StockLimit,
    StockReserved,
)
from ecshop.web.console.charts import Chart, filled
from ecshop.web.console.numbers import whole
from ecshop.web.patience import otherwise
from ecshop.web.refusals import said
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor
from ecshop.web.words import Words, gettext_noop

_OWN_REASONS: Final = frozenset(
    {
        gettext_noop("ordered"),
        gettext_noop("order cancelled"),
        gettext_noop("not restocked"),
        gettext_noop("registered"),
        gettext_noop("set"),
        gettext_noop("removed"),
        gettext_noop("deleted"),
    }
)
"""What stock itself gives as the reason of a movement; others are people's words."""
_PLACE: Final = "/console/stock"
_ON_A_PAGE: Final = 50
_TALL: Final = 136  # pixels
_LABELS: Final = 3
_LOW: Final = "low"


class ConsoleStock(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def stock(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        asked = dict(site.asked(request))
        find = _low if asked.get("show") == _LOW else _all
        page, items = await find(site, visitor, actor, asked)
        kept = {name: asked[name] for name in ("q", "show") if asked.get(name)}
        following = urlencode(kept | {"cursor": page.next_cursor or ""})
        return site.pages.answer(
            visitor,
            "console/stock.html",
            here="stock",
            q=asked.get("q", ""),
            show=asked.get("show", ""),
            products=page.items,
            items=items or {},
            silent=["stock"] if items is None else [],
            imported=asked.get("imported", ""),
            next_page=page.next_cursor and f"{_PLACE}?{following}",
        )

    @get(f"{_PLACE}/{{product_id:int}}")
    async def product(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        return await _shown(site, visitor, actor, product_id, {}, dict(site.asked(request)).get("cursor"))

    @post(f"{_PLACE}/{{product_id:int}}")
    async def adjust(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        try:
            wanted = msgspec.convert({"delta": _delta(form), "reason": form.get("reason", "")}, Adjustment)
            await site.stock.adjust(actor, product_id, wanted)
        except (StockReserved, StockLimit) as refusal:
            return await _shown(site, visitor, actor, product_id, form, error=said(refusal, visitor.words))
        except msgspec.ValidationError:
            says = visitor.words("Say by how many units, not 0, and why.")
            return await _shown(site, visitor, actor, product_id, form, error=says)
        return site.pages.lead(visitor, f"{_PLACE}/{product_id}")

    @post(f"{_PLACE}/{{product_id:int}}/low-mark")
    async def mark(self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]) -> Response[Any]:
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        mark = whole(form.get("low_mark", ""))
        if mark is None or mark > MAX_UNITS:
            says = visitor.words("A low mark is a number of units, or 0.")
            return await _shown(site, visitor, actor, product_id, form, wrong_mark=says)
        await site.stock.set_level(actor, product_id, StockLevel(low_mark=mark))
        return site.pages.lead(visitor, f"{_PLACE}/{product_id}")


Found = tuple[Page[Product], Mapping[int, StockItem] | None]
"""None where stock does not answer."""


async def _all(site: Site, visitor: Visitor, _: Actor, asked: Mapping[str, str]) -> Found:
    page = await site.product.list(ProductFilter(q=asked.get("q") or None), asked.get("cursor"), _ON_A_PAGE)
    return page, await otherwise(site.items(page.items, visitor), None)


async def _low(site: Site, _: Visitor, actor: Actor, asked: Mapping[str, str]) -> Found:
    """Whatever their names: stock knows none."""
    page = await site.stock.list(actor, StockFilter(low=True), asked.get("cursor"), _ON_A_PAGE)
    products = await site.products([item.product_id for item in page.items])
    return Page(tuple(products.values()), page.next_cursor), {item.product_id: item for item in page.items}


async def _shown(
    site: Site,
    visitor: Visitor,
    actor: Actor,
    product_id: int,
    form: Mapping[str, str],
    cursor: str | None = None,
    error: str = "",
    wrong_mark: str = "",
) -> Response[bytes]:
    product, item = await site.product.get(product_id), await site.stock.get(product_id, actor)
    ledger = await site.stock.movements(actor, product_id, cursor, _ON_A_PAGE)
    following = urlencode({"cursor": ledger.next_cursor or ""})
    return site.pages.answer(
        visitor,
        "console/stock_item.html",
        status=422 if error or wrong_mark else 200,
        here="stock",
        product=product,
        item=item,
        movements=ledger.items,
        own_reasons=_OWN_REASONS,
        form=form,
        error=error,
        wrong_mark=wrong_mark,
        **(_history(ledger.items, item, visitor.words) if ledger.items else {"chart": None}),
        next_page=ledger.next_cursor and f"{_PLACE}/{product_id}?{following}",
    )


def _history(newest_first: Sequence[Movement], item: StockItem, _: Words) -> dict[str, Any]:
    """What was on hand while the movements of this page were made, and until now on the first page."""
    movements = newest_first[::-1]
    begin, end = movements[0].at, now() if newest_first[0].on_hand == item.stock else movements[-1].at
    span = max(end - begin, timedelta(minutes=1))
    chart = Chart.of(max(*(one.on_hand for one in movements), item.low_mark or 0, 1), _TALL)
    path = chart.stairs([((one.at - begin) / span, one.on_hand) for one in movements])
    return {"chart": chart, "path": path, "area": filled(path), "labels": _labels(begin, span, _)}


def _labels(begin: datetime, span: timedelta, _: Words) -> list[str]:
    """Days, or times of a day where all of it is one."""
    write = _.short_day if span > timedelta(days=_LABELS) else _.minute
    return [write(begin + span * n / _LABELS) for n in range(_LABELS)]


def _delta(form: Mapping[str, str]) -> int:
    """0 for what is no whole number, and is refused then."""
    written = form.get("delta", "").strip().replace("\N{MINUS SIGN}", "-")
    size = whole(written.lstrip("+-")) or 0
    return -size if written.startswith("-") else size

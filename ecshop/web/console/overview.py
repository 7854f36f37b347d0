"""How the shop is, at one glance: what is sold, what waits, what was given up on, who answers, what is sold out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from ecshop.kernel.clock import now
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.order.contract import OrderFilter
from ecshop.oversight.contract import Backlog
from ecshop.product.contract import ProductFilter
from ecshop.web.console.moving import Board
from ecshop.web.live import Streams
from ecshop.web.site import AnyRequest, Site
from ecshop.web.words import Words

T = TypeVar("T")

_A_MINUTE: Final = timedelta(minutes=1)
_COUNTED: Final = 100
_LISTED: Final = 8
_LATE: Final = timedelta(seconds=5)
"""What waits for longer is worth a look."""


class Standing(NamedTuple):
    """Of one context: None where it does not answer."""

    name: str
    backlog: Backlog | None

    @property
    def waiting(self) -> int:
        return self.backlog.due + self.backlog.unheard if self.backlog else 0

    @property
    def since(self) -> datetime | None:
        waits = [self.backlog.due_since, self.backlog.unheard_since] if self.backlog else []
        return min(filter(None, waits), default=None)


class ConsoleOverview(Controller):
    include_in_schema = False

    @get("/console")
    async def overview(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        shown = await _shown(site, actor, visitor.words)
        return site.pages.answer(visitor, "console/overview.html", here="overview", **shown)

    @get("/console/live")
    async def live(
        self,
        site: NamedDependency[Site],
        streams: NamedDependency[Streams],
        board: NamedDependency[Board],
        request: AnyRequest,
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)

        async def write() -> str:
            shown = await _shown(site, actor, visitor.words)
            return site.pages.written(visitor, "console/overview_live.html", **shown)

        return streams.answer(visitor, board.moving(site, actor, f"overview {visitor.words.language}", write))


async def _shown(site: Site, actor: Actor, _: Words) -> Mapping[str, Any]:
    moment = now()
    names = list(site.oversight)
    newest = OrderFilter(placed_after=moment - _A_MINUTE)
    backlogs, orders, gone = await asyncio.gather(
        asyncio.gather(*(_answer(site.oversight[name].backlog(actor)) for name in names)),
        _answer(site.order.list(actor, newest, None, _COUNTED)),
        _answer(site.product.list(ProductFilter(in_stock=False, on_sale=True), None, _LISTED)),
    )
    standings = [Standing(name, backlog) for name, backlog in zip(names, backlogs, strict=True)]
    oldest = min((one.since for one in standings if one.since), default=None)
    return {
        "standings": standings,
        "orders": orders and len(orders.items),
        "has_more": bool(orders and orders.next_cursor),
        "waiting": sum(one.waiting for one in standings),
        "oldest": oldest,
        "is_late": oldest is not None and moment - oldest > _LATE,
        "letters": sum(one.backlog.dead_letters for one in standings if one.backlog),
        "sold_out": gone.items if gone else None,
    }


async def _answer(asked: Awaitable[T]) -> T | None:
    """None where the context does not answer."""
    try:
        return await asked
    except EcshopError:
        return None

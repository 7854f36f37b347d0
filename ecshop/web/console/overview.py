"""How the shop is, at one glance: how orders go, what waits, what was given up on, who answers, what runs low."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from ecshop.kernel.clock import now
from ecshop.kernel.identity import Actor
from ecshop.kernel.values import Spread
from ecshop.stock.contract import StockFilter
from ecshop.web.console.charts import Chart, Spark
from ecshop.web.console.history import MINUTES, Hour, LastHour, Observed
from ecshop.web.console.moving import Board
from ecshop.web.console.stations import Standing, stations_of
from ecshop.web.live import Streams
from ecshop.web.patience import otherwise
from ecshop.web.site import AnyRequest, Site
from ecshop.web.words import Words

_COUNTED: Final = 100
_LISTED: Final = 8
_LATE: Final = timedelta(seconds=5)
"""What waits for longer is worth a look."""
_TALL: Final = 148  # pixels
_IN_A_ROW: Final = 5
"""Minutes that a line of a table counts together."""


class Five(NamedTuple):
    """Five minutes of the last hour, as a table has them."""

    until: datetime
    placed: int
    p50: float | None
    p99: float | None


class ConsoleOverview(Controller):
    include_in_schema = False

    @get("/console")
    async def overview(
        self,
        site: NamedDependency[Site],
        hour: NamedDependency[LastHour],
        observed: NamedDependency[Observed],
        request: AnyRequest,
    ) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        shown = await _shown(site, hour, observed, actor, visitor.words)
        return site.pages.answer(visitor, "console/overview.html", here="overview", **shown)

    @get("/console/live")
    async def live(
        self,
        site: NamedDependency[Site],
        streams: NamedDependency[Streams],
        board: NamedDependency[Board],
        hour: NamedDependency[LastHour],
        observed: NamedDependency[Observed],
        request: AnyRequest,
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)

        async def write() -> str:
            shown = await _shown(site, hour, observed, actor, visitor.words)
            return site.pages.written(visitor, "console/overview_live.html", **shown)

        return streams.answer(visitor, board.moving(site, actor, f"overview {visitor.words.language}", write))


async def _shown(site: Site, last_hour: LastHour, observed: Observed, actor: Actor, _: Words) -> Mapping[str, Any]:
    moment, names = now(), list(site.oversight)
    backlogs, hour, low = await asyncio.gather(
        asyncio.gather(*(otherwise(site.oversight[name].backlog(actor), None) for name in names)),
        last_hour.read(actor),
        otherwise(site.stock.list(actor, StockFilter(low=True), None, _COUNTED), None),
    )
    standings = {name: Standing(name, backlog) for name, backlog in zip(names, backlogs, strict=True)}
    oldest = min((one.since for one in standings.values() if one.since), default=None)
    waiting = sum(one.waiting for one in standings.values())
    letters = sum(one.backlog.dead_letters for one in standings.values() if one.backlog)
    listed = low.items[:_LISTED] if low else ()
    is_whole = all(one.backlog for one in standings.values())
    observed.add(
        ({"waiting": waiting, "letters": letters} if is_whole else {}) | ({"low": len(low.items)} if low else {})
    )
    return {
        "standings": standings.values(),
        "stations": stations_of(standings, hour, _),
        "hour": hour,
        "waiting": waiting,
        "oldest": oldest,
        "is_late": oldest is not None and moment - oldest > _LATE,
        "letters": letters,
        "is_whole": is_whole,
        "low": low,
        "listed": listed,
        "products": await otherwise(site.products([item.product_id for item in listed]), {}),
        "sparks": {name: Spark.of(observed.hour(name)) for name in ("waiting", "letters", "low")},
        **(_charts(hour, _) if hour else {}),
    }


def _charts(hour: Hour, _: Words) -> Mapping[str, Any]:
    p50, p99 = ([getattr(one, name) if one else None for one in hour.taken] for name in ("p50", "p99"))
    placed = Chart.of(max(hour.placed), _TALL)
    taken = Chart.of(max(filter(None, p99), default=0), _TALL)
    return {
        "placed_spark": Spark.of(hour.placed),
        "taken_spark": Spark.of(p50),
        "placed": placed,
        "bars": placed.bars(hour.placed),
        "taken": taken,
        "curve": taken.curve(p99),
        "half": taken.curve(p50),
        "labels": [_.minute(hour.minutes[n]) for n in range(0, MINUTES, MINUTES // 4)],
        "fives": _fives(hour),
    }


def _fives(hour: Hour) -> Sequence[Five]:
    """The newest first; of the lags the worst."""
    groups = [slice(n, n + _IN_A_ROW) for n in range(0, MINUTES, _IN_A_ROW)]
    return [
        Five(
            hour.minutes[group][-1] + timedelta(minutes=1),
            sum(hour.placed[group]),
            _worst(hour.taken[group], "p50"),
            _worst(hour.taken[group], "p99"),
        )
        for group in reversed(groups)
    ]


def _worst(spreads: Sequence[Spread | None], name: str) -> float | None:
    return max((getattr(one, name) for one in spreads if one), default=None)

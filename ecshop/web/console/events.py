"""All events of all contexts, newest first, with what each listener did."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from ecshop.kernel.identity import Actor
from ecshop.oversight.contract import Delivery, EventFilter, PublishedEvent
from ecshop.web.console.lookup import Lookup
from ecshop.web.console.moving import Board
from ecshop.web.live import Streams
from ecshop.web.patience import otherwise
from ecshop.web.site import AnyRequest, Site
from ecshop.web.words import Words

_PLACE: Final = "/console/events"
_ON_A_PAGE: Final = 25
LISTENERS: Final[Mapping[str, Sequence[str]]] = {
    "ecshop.order.confirmed.v1": ("stock",),
    "ecshop.order.cancelled.v1": ("stock",),
    "ecshop.order.fulfilled.v1": (),
    "ecshop.product.deleted.v1": ("stock",),
    "ecshop.stock.depleted.v1": ("product",),
    "ecshop.stock.replenished.v1": ("product",),
    "ecshop.stock.reservation_expired.v1": ("order",),
}
"""Who listens to an event, by its type."""


class Heard(NamedTuple):
    """What one listener did with an event: how it looks, and what it says."""

    context: str
    state: str
    says: str


class EventRow(NamedTuple):
    event: PublishedEvent
    heard: Sequence[Heard]

    @property
    def kind(self) -> str:
        """Without the shop's name and the version: `order.confirmed`."""
        return ".".join(self.event.type.split(".")[1:3])

    @property
    def context(self) -> str:
        return self.kind.partition(".")[0]


class ConsoleEvents(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def events(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        asked = dict(site.asked(request))
        kind, about = asked.get("type", ""), asked.get("about", "").strip()
        if about:
            lookup = Lookup(site, actor)
            found = [event for event in await lookup.events(about) if not kind or event.type == kind]
            silent = [*dict.fromkeys(lookup.silent)]
        else:
            found, silent = await _newest(site, actor, kind, _moment(asked.get("before", "")))
        shown = found[: _ON_A_PAGE if not about else None]
        has_more = len(found) > len(shown) and not about
        following = {"type": kind, "before": shown[-1].recorded_at.isoformat()} if has_more else {}
        return site.pages.answer(
            visitor,
            "console/events.html",
            here="events",
            types=list(LISTENERS),
            is_moving=not {name for name, value in asked.items() if value} - {"type"},
            kind=kind,
            about=about,
            silent=silent,
            rows=await rows_of(site, actor, shown, visitor.words),
            next_page=following and f"{_PLACE}?{urlencode(following)}",
        )

    @get(f"{_PLACE}/live")
    async def live(
        self,
        site: NamedDependency[Site],
        streams: NamedDependency[Streams],
        board: NamedDependency[Board],
        request: AnyRequest,
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        asked = dict(site.asked(request)).get("type", "")
        kind = asked if asked in LISTENERS else ""

        async def write() -> str:
            newest, _ = await _newest(site, actor, kind, None)
            rows = await rows_of(site, actor, newest[:_ON_A_PAGE], visitor.words)
            return site.pages.written(visitor, "console/events_live.html", rows=rows)

        return streams.answer(visitor, board.moving(site, actor, f"events {visitor.words.language} {kind}", write))


async def rows_of(site: Site, actor: Actor, events: Sequence[PublishedEvent], _: Words) -> list[EventRow]:
    ids: dict[str, list[str]] = {}
    for event in events:
        for name in LISTENERS.get(event.type, ()):
            ids.setdefault(name, []).append(event.event_id)
    answers = await asyncio.gather(
        *(otherwise(site.oversight[name].deliveries(actor, wanted), ()) for name, wanted in ids.items())
    )
    known = {(name, one.event_id): one for name, answer in zip(ids, answers, strict=True) for one in answer}
    return [
        EventRow(
            event, [_heard(name, known.get((name, event.event_id)), event, _) for name in LISTENERS.get(event.type, ())]
        )
        for event in events
    ]


def _heard(name: str, delivery: Delivery | None, event: PublishedEvent, _: Words) -> Heard:
    if delivery is None:
        return Heard(name, "off", _("does not answer"))
    if delivery.given_up_at:
        return Heard(name, "bad", _("gave up"))
    if delivery.applied_at:
        took = (delivery.applied_at - event.recorded_at).total_seconds() * 1000
        return Heard(name, "warn" if delivery.failed else "ok", _.took(max(took, 0.0)))
    if delivery.failed:
        return Heard(name, "warn", _("{n} tries failed", n=len(delivery.failed)))
    return Heard(name, "ok", _("applied")) if event.heard_at else Heard(name, "wait", _("waits"))


async def _newest(
    site: Site, actor: Actor, kind: str, before: datetime | None
) -> tuple[list[PublishedEvent], list[str]]:
    """One more than a page has, and who did not answer."""
    wanted = EventFilter(type=kind or None, recorded_before=before)
    names = [kind.split(".")[1]] if kind in LISTENERS else list(site.oversight)
    asked = [site.oversight[name].events(actor, wanted, None, _ON_A_PAGE + 1) for name in names]
    answers = await asyncio.gather(*(otherwise(one, None) for one in asked))
    silent = [name for name, answer in zip(names, answers, strict=True) if answer is None]
    events = [event for answer in answers if answer for event in answer.items]
    return sorted(events, key=lambda event: event.recorded_at, reverse=True)[: _ON_A_PAGE + 1], silent


def _moment(written: str) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(written)
        return moment if moment.tzinfo else None
    return None

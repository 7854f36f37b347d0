"""All orders, and the timeline of each: what was done when, by whom, and why it is not shipped yet."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import urlencode
from uuid import UUID

from babel.dates import LOCALTZ
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.kernel.clock import now
from ecshop.kernel.errors import NoSuchPath
from ecshop.kernel.identity import Actor
from ecshop.order.contract import Order, OrderFilter, OrderNotConfirmed
from ecshop.oversight.contract import ALL_LETTERS, DeadLetterNotFound
from ecshop.stock.contract import ReservationNotFound
from ecshop.web.console.findings import lead_of, notices_of, state_of, tiles_of
from ecshop.web.console.lookup import Lookup, id_of
from ecshop.web.console.moving import moving
from ecshop.web.console.steps import moments_of, rows_of
from ecshop.web.console.story import ask, names_of, story_of
from ecshop.web.console.waterfall import axis_of
from ecshop.web.live import Streams
from ecshop.web.order_pages import LABELS
from ecshop.web.patience import one_by_one
from ecshop.web.refusals import said
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor
from ecshop.web.watch import Onlooker, Watch
from ecshop.web.words import gettext_noop

_ON_A_PAGE: Final = 25
_AT_ONCE: Final = 100
_LONGEST_NUMBER: Final = 18
_CARRIED: Final = ("status", "day", "product", "user")
_WHERE: Final = {
    "held": ("now", gettext_noop("Waits for its units")),
    "committed": ("ok", gettext_noop("Ready to pack")),
}
_HELD_UP: Final = "bad", gettext_noop("Held up: stock gave up")


class ConsoleOrders(Controller):
    include_in_schema = False

    @get("/console/orders")
    async def orders(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor, actor = await site.staff(request)
        asked = dict(site.asked(request))
        looked_for = asked.get("q", "").strip()
        lookup, wanted = Lookup(site, actor), _wanted(asked)
        found = await lookup.orders(looked_for, wanted) if looked_for else None
        if found and len(found) == 1 and not lookup.silent:
            return site.pages.lead(visitor, f"/console/orders/{found[0].id}")
        page = await site.order.list(actor, wanted, asked.get("cursor"), _ON_A_PAGE)
        orders = page.items if found is None else found
        kept = [(name, asked[name]) for name in _CARRIED if asked.get(name)]
        following = urlencode([*kept, ("cursor", page.next_cursor or "")]) if found is None and page.next_cursor else ""
        silent, buyers = lookup.silent, [wanted.user_id, *(order.user_id for order in orders)]
        people = await ask("auth", silent, names_of(site, actor, buyers), {})
        return site.pages.answer(
            visitor,
            "console/orders.html",
            here="orders",
            asked=asked if _day(asked.get("day", ""))[0] else asked | {"day": ""},
            orders=orders,
            labels=LABELS,
            people=people,
            customer=people.get(wanted.user_id, str(wanted.user_id)) if wanted.user_id else "",
            where=await ask("stock", silent, _where(site, actor, orders), {}),
            silent=[*dict.fromkeys(silent)],
            done=_number(asked.get("done", "")),
            query=urlencode([(name, asked[name]) for name in ("q", *_CARRIED) if asked.get(name)]),
            next_page=following and f"/console/orders?{following}",
        )

    @post("/console/orders")
    async def end_many(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        """Those that are chosen; one that has ended meanwhile stays as it is."""
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        done = 0
        for order_id in _chosen(form):
            with suppress(OrderNotConfirmed), one_by_one(has_begun=done > 0):
                await (site.order.fulfil if form.get("do") == "fulfil" else site.order.cancel)(actor, order_id)
                done += 1
        kept = {name: value for name, value in site.asked(request) if value}
        return site.pages.lead(visitor, f"/console/orders?{urlencode(kept | {'done': done})}")

    @get("/console/orders/{order_id:uuid}")
    async def timeline(
        self, site: NamedDependency[Site], request: AnyRequest, order_id: FromPath[UUID]
    ) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        return await _shown(site, visitor, actor, order_id)

    @get("/console/orders/{order_id:uuid}/live")
    async def live(
        self,
        site: NamedDependency[Site],
        streams: NamedDependency[Streams],
        watch: NamedDependency[Watch],
        request: AnyRequest,
        order_id: FromPath[UUID],
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        onlooker = Onlooker(actor, orders=[order_id])

        async def write() -> tuple[str, bool]:
            shown = await _told(site, visitor, actor, order_id)
            onlooker.is_restless = not shown["story"].is_quiet
            return site.pages.written(visitor, "console/timeline_live.html", **shown), shown["is_over"]

        return streams.answer(visitor, moving(site, actor, watch.looks(onlooker), write))

    @post("/console/orders/{order_id:uuid}/{what:str}")
    async def end(
        self, site: NamedDependency[Site], request: AnyRequest, order_id: FromPath[UUID], what: FromPath[str]
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        try:
            if what == "fulfil":
                await site.order.fulfil(actor, order_id)
            elif what == "cancel":
                await site.order.cancel(actor, order_id)
            elif what == "replay":
                await site.oversight["stock"].replay(actor, form.get("event", ""))
            else:
                raise NoSuchPath(f"an order can be fulfilled or cancelled, not {what}")
        except (OrderNotConfirmed, DeadLetterNotFound) as refusal:
            return await _shown(site, visitor, actor, order_id, said(refusal, visitor.words))
        return site.pages.lead(visitor, f"/console/orders/{order_id}")


async def _shown(site: Site, visitor: Visitor, actor: Actor, order_id: UUID, refused: str = "") -> Response[bytes]:
    return site.pages.answer(
        visitor,
        "console/timeline.html",
        status=409 if refused else 200,
        here="orders",
        refused=refused,
        **await _told(site, visitor, actor, order_id),
    )


async def _told(site: Site, visitor: Visitor, actor: Actor, order_id: UUID) -> dict[str, Any]:
    story, _, moment = await story_of(site, actor, order_id), visitor.words, _about_now()
    rows = rows_of(story, _, moment)
    return {
        "story": story,
        "order": story.told.order,
        "is_over": story.is_over,
        "state": state_of(story, _),
        "lead": lead_of(story, _),
        "tiles": list(tiles_of(story, _, moment)),
        "notices": list(notices_of(story, _, moment)),
        "rows": rows,
        "axis": axis_of(rows),
        "moments": list(moments_of(story, _)),
    }


def _about_now() -> datetime:
    """A page that waits does not change with every look at it."""
    return now().replace(microsecond=0) + timedelta(seconds=1)


def _wanted(asked: Mapping[str, str]) -> OrderFilter:
    first, last = _day(asked.get("day", ""))
    return OrderFilter(
        status=cast(Any, asked.get("status")) if asked.get("status") in LABELS else None,
        product_id=_number(asked.get("product", "")),
        user_id=id_of(asked.get("user", "")),
        placed_after=first,
        placed_before=last,
    )


def _number(written: str) -> int | None:
    is_one = written.isascii() and written.isdigit() and len(written) <= _LONGEST_NUMBER
    return int(written) or None if is_one else None


def _day(written: str) -> tuple[datetime | None, datetime | None]:
    """Between which moments it lies, where the shop is."""
    try:
        midnight = datetime.fromisoformat(written).replace(tzinfo=LOCALTZ).astimezone(UTC)
        return midnight - timedelta(microseconds=1), midnight + timedelta(days=1)
    except (ValueError, OverflowError):
        return None, None


async def _where(site: Site, actor: Actor, orders: Sequence[Order]) -> dict[UUID, tuple[str, str]]:
    """Of those that are confirmed: how it looks, and what it says."""
    waiting = [order.id for order in orders if order.status == "confirmed"]
    letters = (await site.oversight["stock"].dead_letters(actor, ALL_LETTERS, None, _AT_ONCE)).items if waiting else ()
    stuck = {str(letter.envelope.get("subject")) for letter in letters if isinstance(letter.envelope, dict)}
    states = await asyncio.gather(*(_state(site, actor, order_id) for order_id in waiting))
    return {
        order_id: _HELD_UP if str(order_id) in stuck else _WHERE.get(state, _WHERE["held"])
        for order_id, state in zip(waiting, states, strict=True)
    }


async def _state(site: Site, actor: Actor, order_id: UUID) -> str:
    with suppress(ReservationNotFound):
        return (await site.stock.reservation(actor, order_id)).state
    return ""


def _chosen(form: Mapping[str, str]) -> list[UUID]:
    found: list[UUID] = []
    for name in form:
        with suppress(ValueError):
            found.append(UUID(name.removeprefix("order-")))
    return found

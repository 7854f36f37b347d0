"""A customer's orders: the list of them, and the page of each, which moves as the order does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlencode
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.kernel.errors import EcshopError, Unavailable
from ecshop.kernel.identity import Actor
from ecshop.order.contract import Order, OrderFilter, OrderNotConfirmed
from ecshop.stock.contract import ReservationNotFound, ReservationStatus
from ecshop.web.live import Streams
from ecshop.web.patience import otherwise, soon
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor
from ecshop.web.watch import Onlooker, Watch
from ecshop.web.words import Words, gettext_noop

_ON_A_PAGE: Final = 20
_TAKEN: Final = "committed"
"""The state of a reservation whose units have left the stock."""
LABELS: Final = {
    "confirmed": ("now", gettext_noop("Being packed")),
    "fulfilled": ("ok", gettext_noop("Fulfilled")),
    "cancelled": ("off", gettext_noop("Cancelled")),
}
"""By status, how it looks and what it says."""


class Step(NamedTuple):
    name: str
    state: str
    title: str
    at: datetime | None = None
    says: str = ""


class OrderPages(Controller):
    include_in_schema = False

    @get("/shop/orders")
    async def orders(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor = await site.visitor(request)
        actor, asked = visitor.require_actor(), dict(site.asked(request))
        status = asked.get("status", "")
        wanted = OrderFilter(status=cast(Any, status) if status in LABELS else None, user_id=actor.user_id)
        page = await site.order.list(actor, wanted, asked.get("cursor"), _ON_A_PAGE)
        months = [
            (month, list(orders))
            for month, orders in groupby(page.items, lambda one: visitor.words.month(one.placed_at))
        ]
        following = urlencode({"status": status, "cursor": page.next_cursor or ""})
        return site.pages.answer(
            visitor,
            "history.html",
            here="orders",
            months=months,
            chosen=status,
            labels=LABELS,
            pictures=await _pictures(site, page.items),
            next_page=page.next_cursor and f"/shop/orders?{following}",
        )

    @get("/shop/orders/{order_id:uuid}")
    async def order(
        self, site: NamedDependency[Site], request: AnyRequest, order_id: FromPath[UUID]
    ) -> Response[bytes]:
        visitor = await site.visitor(request)
        order = await site.order.get(visitor.require_actor(), order_id)
        return await _shown(site, visitor, order)

    @get("/shop/orders/{order_id:uuid}/live")
    async def live(
        self,
        site: NamedDependency[Site],
        streams: NamedDependency[Streams],
        watch: NamedDependency[Watch],
        request: AnyRequest,
        order_id: FromPath[UUID],
    ) -> Response[Any]:
        """How it stands now, and again whenever that has changed, until it is over."""
        visitor = await site.visitor(request)
        return streams.answer(visitor, _told(site, visitor, visitor.require_actor(), order_id, watch))

    @post("/shop/orders/{order_id:uuid}/cancel")
    async def cancel(self, site: NamedDependency[Site], request: AnyRequest, order_id: FromPath[UUID]) -> Response[Any]:
        visitor = await site.visitor(request)
        await site.sent(request, visitor)
        actor = visitor.require_actor()
        try:
            await site.order.cancel(actor, order_id)
        except OrderNotConfirmed:
            order = await site.order.get(actor, order_id)
            says = visitor.words("Only a confirmed order can be cancelled; this one is fulfilled.")
            return await _shown(site, visitor, order, says)
        return site.pages.lead(visitor, f"/shop/orders/{order_id}")


async def _told(
    site: Site, visitor: Visitor, actor: Actor, order_id: UUID, watch: Watch
) -> AsyncIterator[tuple[str, str]]:
    """Whoever is signed out meanwhile hears no more; the page asks again, and is told so."""
    seen: dict[str, Any] = {}
    with suppress(EcshopError):
        async for onlooker in watch.looks(Onlooker(actor, orders=[order_id])):
            await site.verifier.actor(actor.token)
            order = await site.order.get(actor, order_id)
            moving = await _moving(site, visitor, order)
            if not moving["is_known"]:
                continue
            onlooker.products = [line.product_id for line in order.lines]
            onlooker.is_restless = not moving["is_taken"]
            if moving != seen:
                seen = moving
                yield "", site.pages.written(visitor, "live.html", **moving)
            if moving["is_over"]:
                yield "done", ""
                return


async def _shown(site: Site, visitor: Visitor, order: Order, notice: str = "") -> Response[bytes]:
    return site.pages.answer(
        visitor,
        "order.html",
        status=409 if notice else 200,
        here="orders",
        notice=notice,
        pictures=await _pictures(site, [order]),
        **await _moving(site, visitor, order),
    )


async def _moving(site: Site, visitor: Visitor, order: Order) -> dict[str, Any]:
    """What of the page changes while somebody looks at it; where stock does not answer, what order itself knows."""
    is_over, is_known, held = _is_over(order), True, None
    if order.status != "cancelled":
        try:
            held = await soon(_held(site, visitor.require_actor(), order))
        except Unavailable:
            is_known = is_over
    is_taken = is_over or (held is not None and held.state == _TAKEN)
    gone = await otherwise(_gone(site, order, held), []) if is_taken and not is_over else []
    steps = _steps(order, visitor.words, gone, held.committed_at if held else None, is_taken=is_taken)
    return {"order": order, "steps": steps, "is_taken": is_taken, "is_over": is_over, "is_known": is_known}


async def _held(site: Site, actor: Actor, order: Order) -> ReservationStatus | None:
    """Of an order that is over as far as stock still tells."""
    try:
        return await site.stock.reservation(actor, order.id)
    except ReservationNotFound:
        if not _is_over(order):
            raise
        return None


async def _gone(site: Site, order: Order, held: ReservationStatus | None) -> list[tuple[str, datetime | None]]:
    """The products that are sold out now, and since when where it was this order that took their last unit."""
    found = await site.products([line.product_id for line in order.lines])
    since = await site.off_sale_since(held.sold_out if held else ())
    return [(product.name, since.get(product.id)) for product in found.values() if product.in_stock is False]


def _is_over(order: Order) -> bool:
    return order.status != "confirmed"


def _steps(
    order: Order,
    words: Words,
    gone: Sequence[tuple[str, datetime | None]],
    taken_at: datetime | None,
    *,
    is_taken: bool,
) -> list[Step]:
    says = words("All of it is set aside for you. From here on nobody else can buy it.")
    confirmed = Step("confirmed", "ok", words("Confirmed"), order.placed_at, says)
    if order.status == "cancelled":
        return [confirmed, Step("cancelled", "off", words("Cancelled"), order.cancelled_at, order.reason or "")]
    if order.status == "fulfilled":
        return [confirmed, _taken(words, taken_at), Step("fulfilled", "ok", words("Fulfilled"), order.fulfilled_at)]
    if not is_taken:
        rest = [("packing", words("Being packed")), ("fulfilled", words("Fulfilled"))]
        return [
            confirmed,
            Step("taken", "now", words("Units taken")),
            *(Step(name, "wait", says) for name, says in rest),
        ]
    moves = words("This page changes by itself when the order is fulfilled. You may close it.")
    packing = Step("packing", "now", words("Being packed"), None, moves)
    sold_out = [
        Step(f"gone-{place}", "ok", words("{name} is sold out now", name=name), at)
        for place, (name, at) in enumerate(gone)
    ]
    return [confirmed, _taken(words, taken_at), *sold_out, packing, Step("fulfilled", "wait", words("Fulfilled"))]


def _taken(words: Words, at: datetime | None) -> Step:
    return Step("taken", "ok", words("Units taken"), at, words("They have left the stock."))


async def _pictures(site: Site, orders: Any) -> dict[int, str | None]:
    ids = list(dict.fromkeys(line.product_id for order in orders for line in order.lines))
    return {id_: product.picture for id_, product in (await otherwise(site.products(ids), {})).items()}

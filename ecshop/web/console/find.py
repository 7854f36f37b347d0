"""One field for all that staff may have at hand: what is found alone is opened at once."""

from __future__ import annotations

from typing import Any, Final

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from ecshop.web.console.lookup import Found, Lookup
from ecshop.web.console.story import ask, names_of
from ecshop.web.order_pages import LABELS
from ecshop.web.site import AnyRequest, Site

_LONGEST: Final = 200


class ConsoleFind(Controller):
    include_in_schema = False

    @get("/console/find")
    async def find(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        visitor, actor = await site.staff(request)
        looked_for = dict(site.asked(request)).get("q", "").strip()[:_LONGEST]
        lookup = Lookup(site, actor)
        found = await lookup.anything(looked_for) if looked_for else Found()
        match _places(found):
            case [place] if not lookup.silent:
                return site.pages.lead(visitor, place)
        buyers = names_of(site, actor, (order.user_id for order in found.orders))
        return site.pages.answer(
            visitor,
            "console/find.html",
            here="find",
            looked_for=looked_for,
            found=found,
            labels=LABELS,
            people=await ask("auth", lookup.silent, buyers, {}),
            silent=[*dict.fromkeys(lookup.silent)],
        )


def _places(found: Found) -> list[str]:
    return [
        *(f"/console/orders/{order.id}" for order in found.orders),
        *(f"/console/events?about={event.event_id}" for event in found.events),
        *(f"/console/products/{product.id}" for product in found.products),
        *(f"/console/orders?user={user.id}" for user in found.customers),
    ]

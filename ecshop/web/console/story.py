"""All that the contexts know of one order: asked for at once, and told as far as they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from ecshop.auth.contract import UserFilter
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.identity import Actor
from ecshop.order.contract import OrderTimeline
from ecshop.oversight.contract import Delivery, EventFilter, PublishedEvent
from ecshop.stock.contract import ReservationNotFound, ReservationStatus
from ecshop.web.patience import soon
from ecshop.web.site import Site

T = TypeVar("T")


@dataclass(frozen=True)
class Story:
    """`events` are those that an outbox still has; `off_sale` is when product knew that its last unit was gone.

    Contexts that did not answer are `silent`.
    """

    told: OrderTimeline
    reservation: ReservationStatus | None
    events: Mapping[UUID, PublishedEvent]
    deliveries: Mapping[tuple[str, UUID], Delivery]
    off_sale: Mapping[int, datetime]
    people: Mapping[UUID, str]
    silent: Sequence[str]

    @property
    def is_over(self) -> bool:
        """Whether all that it is about has been done."""
        status, ended_at = self.told.order.status, self.reservation.ended_at if self.reservation else None
        return status == "fulfilled" or (status == "cancelled" and ended_at is not None)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing goes on until somebody does something with the order."""
        is_held = self.reservation is None or self.reservation.state == "held"
        return not is_held and not self.silent and all(event.heard_at for event in self.events.values())

    def milliseconds(self, moment: datetime) -> float:
        """Since the request began."""
        return (moment - self.told.began_at).total_seconds() * 1000

    def person(self, user_id: UUID | None) -> str:
        return self.people.get(user_id, str(user_id)) if user_id else ""


async def story_of(site: Site, actor: Actor, order_id: UUID) -> Story:
    """Raises `OrderNotFound`, and `Unavailable` where order does not answer."""
    silent: list[str] = []
    told = await soon(site.order.timeline(actor, order_id))
    own = [event for event in (told.confirmed_event, told.ended_event) if event]
    reservation = await ask("stock", silent, _reservation(site, actor, order_id), None)
    gone = {one.event_id: one for one in reservation.sold_out} if reservation else {}
    of_order, of_stock, at_stock, at_product, people, off_sale = await asyncio.gather(
        ask("order", silent, _events(site, actor, "order", own), {}),
        ask("stock", silent, _events(site, actor, "stock", list(gone)), {}),
        ask("stock", silent, _deliveries(site, actor, "stock", own), {}),
        ask("product", silent, _deliveries(site, actor, "product", list(gone)), {}),
        ask("auth", silent, names_of(site, actor, [told.order.user_id, told.ended_by]), {}),
        ask("product", silent, site.off_sale_since(gone.values()), {}),
    )
    asked = tuple(dict.fromkeys(silent))
    return Story(told, reservation, of_order | of_stock, at_stock | at_product, off_sale, people, asked)


async def names_of(site: Site, actor: Actor, user_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Of the accounts that there are."""
    wanted = tuple(dict.fromkeys(user_id for user_id in user_ids if user_id))
    if not wanted:
        return {}
    found = await site.auth.users(actor, UserFilter(user_id=wanted), None, len(wanted))
    return {user.id: user.user_name for user in found.items}


async def ask(name: str, silent: list[str], answer: Awaitable[T], nothing: T) -> T:
    """What the context of this name answers; where it does not, nothing, and it is added to the silent ones."""
    try:
        return await soon(answer)
    except Unavailable:
        silent.append(name)
        return nothing


async def _reservation(site: Site, actor: Actor, order_id: UUID) -> ReservationStatus | None:
    with suppress(ReservationNotFound):
        return await site.stock.reservation(actor, order_id)
    return None


async def _events(site: Site, actor: Actor, name: str, ids: Sequence[UUID]) -> dict[UUID, PublishedEvent]:
    if not ids:
        return {}
    wanted = EventFilter(event_id=tuple(map(str, ids)))
    found = await site.oversight[name].events(actor, wanted, None, len(ids))
    return {UUID(event.event_id): event for event in found.items}


async def _deliveries(site: Site, actor: Actor, name: str, ids: Sequence[UUID]) -> dict[tuple[str, UUID], Delivery]:
    if not ids:
        return {}
    found = await site.oversight[name].deliveries(actor, list(map(str, ids)))
    return {(name, UUID(one.event_id)): one for one in found}

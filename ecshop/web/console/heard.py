"""What each listener made of an event, as a row shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ecshop.kernel.identity import Actor
from ecshop.oversight.contract import Delivery, PublishedEvent
from ecshop.web.patience import otherwise
from ecshop.web.site import Site
from ecshop.web.words import Words

WAITS: Final = "waits"
RETRIED: Final = "retried"
GIVEN_UP: Final = "given-up"
APPLIED: Final = "applied"
UNKNOWN: Final = "unknown"
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
    """What one listener did with an event: how it stands, how that looks, and what it says."""

    context: str
    stands: str
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

    @property
    def silent(self) -> Sequence[str]:
        """The listeners that do not say how they stand."""
        return [one.context for one in self.heard if one.stands == UNKNOWN]


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
        return Heard(name, UNKNOWN, "off", _("does not answer"))
    if delivery.given_up_at:
        return Heard(name, GIVEN_UP, "bad", _("gave up"))
    if delivery.applied_at:
        took = (delivery.applied_at - event.recorded_at).total_seconds() * 1000
        return Heard(name, APPLIED, "warn" if delivery.failed else "ok", _.took(max(took, 0.0)))
    if delivery.failed:
        return Heard(name, RETRIED, "warn", _("{n} tries failed", n=len(delivery.failed)))
    return Heard(name, APPLIED, "ok", _("applied")) if event.heard_at else Heard(name, WAITS, "wait", _("waits"))

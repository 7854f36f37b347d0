"""What a timeline means, in words: the state of an order, its figures, and why it is not shipped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from ecshop.oversight.contract import Delivery
from ecshop.web.console.story import Story
from ecshop.web.words import Words

_SLOW: Final = 1000.0
"""Milliseconds from recorded to taken that are worth a word."""


class Tile(NamedTuple):
    says: str
    figure: str
    note: str = ""


class Notice(NamedTuple):
    kind: str
    heading: str
    says: str
    letter: str = ""
    """The dead letter that is to be replayed, at stock."""


def given_up(story: Story) -> Delivery | None:
    """The delivery whose dead letter holds the order up."""
    found = [
        story.deliveries.get(("stock", event))
        for event in (story.told.confirmed_event, story.told.ended_event)
        if event
    ]
    return next((one for one in found if one and one.given_up_at), None)


def state_of(story: Story, _: Words) -> tuple[str, str]:
    if given_up(story):
        return "bad", _("Held up")
    status = story.told.order.status
    return {
        "fulfilled": ("ok", _("Fulfilled")),
        "cancelled": ("off", _("Cancelled")),
    }.get(status, ("now", _("Ready to pack") if _committed_at(story) else _("Waits for its units")))


def lead_of(story: Story, _: Words) -> str:
    order, reservation = story.told.order, story.reservation
    names = {line.product_id: line.name for line in order.lines}
    units, amount = sum(line.quantity for line in order.lines), _.amount(order.total, order.currency)
    bought = _("1 unit") if units == 1 else _("{n} units", n=units)
    says = _(
        "{name} bought {units} for {amount} on {day}, {time}.",
        name=story.person(order.user_id),
        units=bought,
        amount=amount,
        day=_.day(order.placed_at),
        time=_.instant(order.placed_at),
    )
    last = [names[one.product_id] for one in reservation.sold_out if one.product_id in names] if reservation else []
    return " ".join([says, *(_("The last unit of {name} went with it.", name=name) for name in last)])


def tiles_of(story: Story, _: Words, now: datetime) -> Iterator[Tile]:
    told, order, ms = story.told, story.told.order, story.milliseconds
    taken_at, letter = _committed_at(story), given_up(story)
    yield Tile(_("Sold after"), _.took(ms(told.recorded_at)), _("from the request to the record"))
    if taken_at:
        yield Tile(
            _("Units taken after"),
            _.took(ms(taken_at)),
            _("{time} after it was sold", time=_since(told.recorded_at, taken_at, _)),
        )
    elif order.status == "confirmed":
        note = (
            _("stock gave up after {n} tries", n=len(letter.failed)) if letter else _("stock has not heard of it yet")
        )
        yield Tile(_("Units taken"), _("not yet"), note)
    if story.off_sale and taken_at:
        off_at = min(story.off_sale.values())
        yield Tile(
            _("Off sale after"), _.took(ms(off_at)), _("{time} after the last unit", time=_since(taken_at, off_at, _))
        )
    if order.fulfilled_at:
        yield Tile(
            _("Fulfilled after"), _.took(ms(order.fulfilled_at)), _("by {name}", name=story.person(told.ended_by))
        )
    elif order.cancelled_at:
        yield Tile(
            _("Cancelled after"), _.took(ms(order.cancelled_at)), _("by {name}", name=story.person(told.ended_by))
        )
    else:
        since = (letter and letter.given_up_at) or taken_at or told.recorded_at
        yield Tile(_("Waits since"), _since(since, now, _), _.instant(since))


def notices_of(story: Story, _: Words, now: datetime) -> Iterator[Notice]:
    for name in story.silent:
        yield Notice(
            "warn", _("{name} does not answer.", name=name), _("What it knows of the order is not on this page.")
        )
    letter, taken_at, order = given_up(story), _committed_at(story), story.told.order
    delivery = story.deliveries.get(("stock", story.told.confirmed_event))
    if letter:
        error = f"{letter.failed[-1].error}." if letter.failed else ""
        says = _("Stock gave up: {error} Nothing is lost. Mend the cause, then replay the event.", error=error)
        yield Notice("bad", _("Not shipped, because stock could not apply its event."), says, letter.event_id)
    elif taken_at and delivery and delivery.failed:
        error = f"{delivery.failed[0].error}."
        pause = _since(story.told.recorded_at, taken_at, _)
        says = _(
            "Stock could not take the units at once: {error} Nobody had to act.", error=f"{delivery.failed[0].error}."
        )
        yield Notice("warn", _("It took {time} and {n} tries.", time=pause, n=len(delivery.failed) + 1), says)
    elif order.status == "confirmed" and not taken_at and story.milliseconds(now) > _SLOW:
        says = _("Its event waits, or is being tried again. It is sold all the same: its units are held.")
        yield Notice("warn", _("Its units are not taken yet."), says)
    elif order.status == "confirmed" and taken_at:
        says = _("Its units have left the stock. Somebody has to pack it, and to say so here.")
        yield Notice("", _("Ready to pack."), says)


def _committed_at(story: Story) -> datetime | None:
    return story.reservation.committed_at if story.reservation else None


def _since(begin: datetime, end: datetime, _: Words) -> str:
    return _.took(max((end - begin).total_seconds() * 1000, 0.0))

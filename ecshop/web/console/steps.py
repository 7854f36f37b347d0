"""From what is known of an order to the rows of its waterfall, in the order of their causes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import to_builtins

from ecshop.oversight.contract import Delivery, PublishedEvent
from ecshop.web.console.story import Story
from ecshop.web.console.waterfall import Bar, Moment, Row
from ecshop.web.words import Words

_NO_DELIVERY = Delivery("", None, (), None)


def rows_of(story: Story, _: Words, now: datetime) -> list[Row]:
    return [*_placed(story, _), *_taken(story, _, now), *_sold_out(story, _, now), *_ended(story, _, now)]


def moments_of(story: Story, _: Words) -> Iterator[Moment]:
    told, reservation, order = story.told, story.reservation, story.told.order
    yield Moment(story.milliseconds(told.recorded_at), _("sold"))
    if reservation and reservation.committed_at:
        yield Moment(story.milliseconds(reservation.committed_at), _("units taken"))
    if story.off_sale:
        yield Moment(story.milliseconds(min(story.off_sale.values())), _("off sale"))
    if order.fulfilled_at:
        yield Moment(story.milliseconds(order.fulfilled_at), _("fulfilled"))
    if order.cancelled_at:
        yield Moment(story.milliseconds(order.cancelled_at), _("cancelled"))


def _placed(story: Story, _: Words) -> Iterator[Row]:
    told, ms = story.told, story.milliseconds
    lines = [to_builtins(line) for line in told.order.lines]
    facts = [(_("Request"), told.request_id or "-"), (_("Trace"), told.trace_id or _("not sampled"))]
    quoted, reserved, recorded = ms(told.quoted_at), ms(told.reserved_at), ms(told.recorded_at)
    sold = _("confirmed; sold from here on")
    yield Row("order", _("Place the order"), [Bar("work", 0.0, recorded)], _("confirmed"), facts=facts)
    yield Row(
        "product",
        _("Quote the product") if len(lines) == 1 else _("Quote {n} products", n=len(lines)),
        [Bar("work", 0.0, quoted)],
        _("quoted"),
        deep=1,
        payload=lines,
    )
    yield Row("stock", _("Reserve all lines or none"), [Bar("work", quoted, reserved)], _("held"), deep=1)
    yield Row("order", _("Record order and event"), [Bar("work", reserved, recorded)], sold, deep=1)


def _taken(story: Story, _: Words, now: datetime) -> Iterator[Row]:
    told, reservation = story.told, story.reservation
    yield _outbox(story, _, told.confirmed_event, "order.confirmed", told.recorded_at, now)
    delivery = story.deliveries.get(("stock", told.confirmed_event), _NO_DELIVERY)
    done = reservation.committed_at if reservation else None
    if done is None and told.order.cancelled_at:
        done = delivery.applied_at  # a cancellation that overtook it has left nothing to take
    yield _listener(story, _, "stock", _("Listener: take the units"), told.recorded_at, delivery, done, now)


def _sold_out(story: Story, _: Words, now: datetime) -> Iterator[Row]:
    reservation = story.reservation
    if reservation is None or reservation.committed_at is None:
        return
    names = {line.product_id: line.name for line in story.told.order.lines}
    for gone in reservation.sold_out:
        delivery = story.deliveries.get(("product", gone.event_id), _NO_DELIVERY)
        says = _("Listener: take {name} off sale", name=names.get(gone.product_id, str(gone.product_id)))
        begin, done = reservation.committed_at, story.off_sale.get(gone.product_id)
        yield _outbox(story, _, gone.event_id, "stock.depleted", begin, now, deep=1)
        yield _listener(story, _, "product", says, begin, delivery, done or delivery.applied_at, now, deep=1)


def _ended(story: Story, _: Words, now: datetime) -> Iterator[Row]:
    told, reservation = story.told, story.reservation
    order = told.order
    ended_at = order.fulfilled_at or order.cancelled_at
    if ended_at is None or told.ended_event is None:
        return
    who = story.person(told.ended_by)
    says = _("Fulfilled by {name}", name=who) if order.fulfilled_at else _("Cancelled by {name}", name=who)
    at = story.milliseconds(ended_at)
    facts = [(_("Reason"), order.reason)] if order.reason else []
    outcome = _("fulfilled") if order.fulfilled_at else _("cancelled")
    yield Row("order", says, [Bar("work", at, at)], outcome, facts=facts)
    kind = "order.fulfilled" if order.fulfilled_at else "order.cancelled"
    yield _outbox(story, _, told.ended_event, kind, ended_at, now)
    if order.cancelled_at:
        delivery = story.deliveries.get(("stock", told.ended_event), _NO_DELIVERY)
        done = reservation.ended_at if reservation else None
        yield _listener(story, _, "stock", _("Listener: give the units back"), ended_at, delivery, done, now)


def _outbox(
    story: Story, _: Words, event_id: UUID, kind: str, recorded_at: datetime, now: datetime, deep: int = 0
) -> Row:
    event, begin, says = story.events.get(event_id), story.milliseconds(recorded_at), _("Outbox: {type}", type=kind)
    facts = [(_("Event"), str(event_id))]
    if event is None:
        return Row("events", says, [Bar("work", begin, begin)], _("published; its row is purged"), deep, facts)
    bars, outcome = _way_out(story, _, event, begin, now)
    facts += [(_("Recorded"), _.instant(event.recorded_at))]
    facts += [(_("Published"), _.instant(event.published_at))] if event.published_at else []
    facts += [(_("Heard by all"), _.instant(event.heard_at))] if event.heard_at else []
    return Row("events", says, bars, outcome, deep, facts, event.envelope)


def _way_out(story: Story, _: Words, event: PublishedEvent, begin: float, now: datetime) -> tuple[Sequence[Bar], str]:
    if event.published_at:
        return [Bar("work", begin, max(begin, story.milliseconds(event.published_at)))], _("published")
    if event.heard_at:
        heard = max(begin, story.milliseconds(event.heard_at))
        handed = min(heard, max(begin, story.milliseconds(_first_try(story, event))))
        waits = [Bar("idle", handed, heard)] if handed < heard else []
        return [Bar("work", begin, handed), *waits], _("heard")
    waits = [Bar("idle", begin, story.milliseconds(now))]
    return waits, _("waits; {n} tries to hand it on failed", n=event.attempts) if event.attempts else _("waits")


def _first_try(story: Story, event: PublishedEvent) -> datetime:
    """Inside one process an event is handed to its listeners: when the first of them had it."""
    tries = [delivery.failed for (_, id_), delivery in story.deliveries.items() if str(id_) == event.event_id]
    return min((failed[0].at for failed in tries if failed), default=event.heard_at or event.recorded_at)


def _listener(
    story: Story,
    _: Words,
    name: str,
    says: str,
    since: datetime,
    delivery: Delivery,
    done: datetime | None,
    now: datetime,
    deep: int = 0,
) -> Row:
    ms = story.milliseconds
    bars: list[Bar] = []
    facts: list[tuple[str, str]] = []
    last = ms(since)
    for number, failed in enumerate(delivery.failed, start=1):
        if done is None or failed.at <= done:
            bars += [Bar("idle", last, ms(failed.at)), Bar("failed", ms(failed.at), ms(failed.at))]
            facts.append(
                (_("Try {n}", n=number), _("{time}, failed: {error}", time=_.instant(failed.at), error=failed.error))
            )
            last = ms(failed.at)
    if done is not None:
        bars += [Bar("idle", last, ms(done)), Bar("work", ms(done), ms(done))]
        facts.append((_("Applied"), _.instant(done)))
        failed_tries = len(facts) - 1
        again = (
            _("failed once, then applied") if failed_tries == 1 else _("failed {n} times, then applied", n=failed_tries)
        )
        outcome = again if delivery.failed else _("applied")
    elif delivery.given_up_at:
        bars += [Bar("missing", last, ms(now))]
        facts.append((_("Given up"), _.instant(delivery.given_up_at)))
        outcome = _("given up after {n} tries", n=len(delivery.failed))
    else:
        bars += [Bar("idle", last, ms(now))]
        outcome = _("failed {n} times, will be tried again", n=len(delivery.failed)) if delivery.failed else _("waits")
    return Row(name, says, bars, outcome, deep, facts, is_open=bool(delivery.failed))

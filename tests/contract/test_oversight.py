"""Whatever claims to be an `OversightClient` must pass this file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from ecshop.events.catalog import OrderCancelled, OrderConfirmed, OrderedUnits
from ecshop.events.consumer import Consumer, Delivery
from ecshop.events.envelope import id_of
from ecshop.events.outbox import record
from ecshop.events.tables import Inbox, Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.errors import Forbidden, InvalidRequest, NoSuchPath
from ecshop.kernel.identity import Role
from ecshop.order.contract import NewOrder, WantedLine
from ecshop.oversight.contract import (
    ALL_LETTERS,
    MOST_AT_ONCE,
    DeadLetterNotFound,
    DeadLetterUndecodable,
    Discard,
    EntryFilter,
    EventFilter,
    Fault,
    LetterFilter,
    OversightClient,
    Replay,
)
from entrypoints.contexts import NAMES
from tests.contract.conftest import Doors
from tests.contract.wires import count_rows
from tests.events import seal

pytestmark = pytest.mark.anyio


def failing(_session: Any, _events: Any) -> list[str]:
    raise RuntimeError("the shelf is on fire")


def applying(_session: Any, events: Any) -> list[str]:
    return ["applied"] * len(events)


def listener(doors: Doors, handler: Any, *, patience: int = 0) -> Consumer:
    pauses = [timedelta(seconds=1)] * patience
    return Consumer("stock", doors.databases["stock"], {OrderConfirmed: handler, OrderCancelled: handler}, pauses)


def confirmed() -> OrderConfirmed:
    return OrderConfirmed(uuid4(), 1, uuid4(), (OrderedUnits(1, 1),), 100, "EUR")


async def dead_letter(doors: Doors) -> str:
    envelope = seal(confirmed())
    await listener(doors, failing).handle([Delivery(envelope, 0)])
    return envelope.id


async def test_each_context_has_one(doors: Doors) -> None:
    assert set(doors.oversight) == {*NAMES}
    assert all(isinstance(one, OversightClient) for one in doors.oversight.values())


async def test_what_an_order_has_published_is_found_by_the_id_that_its_timeline_names(doors: Doors) -> None:
    product, buyer, staff = await doors.stocked(5), doors.actor(), doors.actor(Role.STAFF)
    order = await doors.order.place(buyer, NewOrder((WantedLine(product, 2),)))
    event_id = str((await doors.order.timeline(staff, order.id)).confirmed_event)
    [event] = (await doors.oversight["order"].events(staff, EventFilter(event_id=(event_id,)), None, 10)).items
    assert (event.event_id, event.type, event.subject) == (event_id, "ecshop.order.confirmed.v1", str(order.id))
    assert event.envelope["data"]["lines"] == [{"product_id": product, "quantity": 2}]
    assert event.recorded_at - order.placed_at < timedelta(seconds=60)


async def test_events_are_listed_newest_first_by_type_and_time(doors: Doors) -> None:
    staff, orders = doors.actor(Role.STAFF), doors.oversight["order"]
    before = now()
    for _ in range(3):
        await doors.databases["order"].write(record, [OrderCancelled(uuid4(), 1)])
    wanted = EventFilter(type=OrderCancelled.type, recorded_after=before)
    first = await orders.events(staff, wanted, None, 2)
    rest = await orders.events(staff, wanted, first.next_cursor, 2)
    listed = [event.seq for event in (*first.items, *rest.items)]
    assert len(listed) == 3
    assert listed == sorted(listed, reverse=True)
    for none in (EventFilter(type="no.such.type"), EventFilter(recorded_before=before - timedelta(days=1))):
        assert (await orders.events(staff, none, None, 2)).items == ()
    for odd in ("no id", str(uuid4()), "f" * 32, f"{int(253402300799e3):012x}"):
        assert (await orders.events(staff, EventFilter(event_id=(odd,)), None, 2)).items == ()
    ever = EventFilter(
        recorded_after=datetime.min.replace(tzinfo=UTC), recorded_before=datetime.max.replace(tzinfo=UTC)
    )
    assert (await orders.events(staff, ever, None, 2)).items


async def test_a_delivery_tells_of_failed_tries_and_when_it_was_applied(doors: Doors) -> None:
    staff, stock = doors.actor(Role.STAFF), doors.oversight["stock"]
    envelope = seal(confirmed())
    await listener(doors, failing, patience=2).handle([Delivery(envelope, 0)])
    [delivery] = await stock.deliveries(staff, [envelope.id])
    assert (delivery.applied_at, delivery.given_up_at) == (None, None)
    assert [one.error for one in delivery.failed] == ["RuntimeError: the shelf is on fire"]
    await listener(doors, applying).handle([Delivery(envelope, 1)])
    [delivery, unknown] = await stock.deliveries(staff, [envelope.id, "unknown"])
    assert delivery.applied_at is not None
    assert delivery.failed[0].at <= delivery.applied_at
    assert (unknown.applied_at, unknown.failed, unknown.given_up_at) == (None, (), None)


async def test_failed_tries_take_bounded_room(doors: Doors) -> None:
    envelope = seal(confirmed())
    for attempt in range(25):
        await listener(doors, failing, patience=30).handle([Delivery(envelope, attempt)])
    [delivery] = await doors.oversight["stock"].deliveries(doors.actor(Role.STAFF), [envelope.id])
    assert len(delivery.failed) == 20


async def test_a_dead_letter_is_found_with_its_error_and_replayed_once(doors: Doors) -> None:
    staff, stock = doors.actor(Role.STAFF), doors.oversight["stock"]
    event_id = await dead_letter(doors)
    letter = await stock.dead_letter(staff, event_id)
    assert (letter.type, letter.error) == (OrderConfirmed.type, "RuntimeError: the shelf is on fire")
    assert (letter.envelope["id"], letter.attempts, letter.times) == (event_id, 1, 1)
    await stock.replay(staff, event_id)
    assert await doors.databases["stock"].read(count_rows, Outbox, Outbox.event_id == event_id) == 1
    with pytest.raises(DeadLetterNotFound):
        await stock.replay(staff, event_id)
    with pytest.raises(DeadLetterNotFound):
        await stock.dead_letter(staff, event_id)


async def test_dead_letters_are_listed_by_type_and_by_a_part_of_their_error_or_their_text(doors: Doors) -> None:
    staff, stock = doors.actor(Role.STAFF), doors.oversight["stock"]
    before, event_id, other = now(), await dead_letter(doors), await dead_letter(doors)
    subject = (await stock.dead_letter(staff, event_id)).envelope["subject"]

    async def found(wanted: LetterFilter) -> set[str]:
        return {letter.event_id for letter in (await stock.dead_letters(staff, wanted, None, 100)).items}

    for both in (ALL_LETTERS, LetterFilter(type=OrderConfirmed.type), LetterFilter(q="THE SHELF")):
        assert await found(both) >= {event_id, other}
    for one in (event_id, subject, str(subject).upper()):
        assert await found(LetterFilter(q=one)) == {event_id}
    for none in (
        LetterFilter(type=OrderCancelled.type, q=event_id),
        LetterFilter(q="50 % off_"),
        LetterFilter(q="棚"),
        LetterFilter(failed_before=before),
    ):
        assert await found(none) == set()


async def test_all_dead_letters_that_a_filter_finds_are_replayed_some_at_a_time(doors: Doors) -> None:
    staff, stock = doors.actor(Role.STAFF), doors.oversight["stock"]
    kept, filtered = await dead_letter(doors), LetterFilter(type=OrderCancelled.type)
    many = [Delivery(seal(OrderCancelled(uuid4(), 1)), 0) for _ in range(MOST_AT_ONCE + 1)]
    await listener(doors, failing).handle(many)
    first, rest = await stock.replay_all(staff, filtered), await stock.replay_all(staff, filtered)
    assert ((first.replayed, first.is_all), (rest.replayed, rest.is_all)) == ((MOST_AT_ONCE, False), (1, True))
    assert (await stock.replay_all(staff, filtered)).replayed == 0
    assert (await stock.dead_letter(staff, kept)).event_id == kept


async def test_two_who_replay_the_same_put_each_event_back_once(doors: Doors) -> None:
    staff, stock = doors.actor(Role.STAFF), doors.oversight["stock"]
    event_ids = [await dead_letter(doors) for _ in range(20)]
    await asyncio.gather(*(stock.replay_all(staff, ALL_LETTERS) for _ in range(4)))
    for event_id in event_ids:
        assert await doors.databases["stock"].read(count_rows, Outbox, Outbox.event_id == event_id) == 1


@pytest.mark.parametrize("event_id", ["\n", "a?b", "a/b", "../stock", "50 %"])
async def test_an_odd_id_is_that_of_no_dead_letter(doors: Doors, event_id: str) -> None:
    with pytest.raises((DeadLetterNotFound, NoSuchPath)):
        await doors.oversight["stock"].dead_letter(doors.actor(Role.STAFF), event_id)


async def test_a_dead_letter_is_replayed_with_other_data_of_its_type_alone(doors: Doors) -> None:
    staff, stock = doors.actor(Role.STAFF), doors.oversight["stock"]
    event_id = await dead_letter(doors)
    with pytest.raises(InvalidRequest):
        await stock.replay(staff, event_id, Replay({"lines": "none"}))
    data = {
        "order_id": str(uuid4()),
        "version": 1,
        "user_id": str(uuid4()),
        "lines": [{"product_id": 2, "quantity": 3}],
        "total": 5,
        "currency": "EUR",
    }
    await stock.replay(staff, event_id, Replay(data))
    [event] = (await stock.events(staff, EventFilter(recorded_after=now() - timedelta(minutes=1)), None, 1)).items
    assert (event.event_id, event.envelope["data"]) == (event_id, data)


async def test_a_dead_letter_is_discarded_with_a_reason_that_the_audit_trail_keeps(doors: Doors) -> None:
    staff, admin, stock = doors.actor(Role.STAFF), doors.actor(Role.ADMIN), doors.oversight["stock"]
    event_id = await dead_letter(doors)
    await stock.discard(staff, event_id, Discard("sold by hand"))
    with pytest.raises(DeadLetterNotFound):
        await stock.discard(staff, event_id, Discard("sold by hand"))
    [entry] = (await stock.audit(admin, EntryFilter(subject=f"event {event_id}"), None, 10)).items
    told = (entry.action, entry.actor, entry.after)
    assert told == ("dead_letter.discarded", staff.user_id, {"reason": "sold by hand"})


async def test_what_is_no_event_cannot_be_replayed(doors: Doors) -> None:
    staff, stock = doors.actor(Role.STAFF), doors.oversight["stock"]
    await listener(doors, applying).handle([Delivery(b"no event", 0)])
    letter = next(one for one in (await stock.dead_letters(staff, ALL_LETTERS, None, 100)).items if not one.type)
    assert letter.envelope == "no event"
    with pytest.raises(DeadLetterUndecodable):
        await stock.replay(staff, letter.event_id)
    await stock.replay_all(staff, LetterFilter(q="no event"))
    assert await stock.dead_letter(staff, letter.event_id) == letter


async def test_the_backlog_counts_what_waits(doors: Doors) -> None:
    staff, stock = doors.actor(Role.STAFF), doors.oversight["stock"]
    before = await stock.backlog(staff)
    await dead_letter(doors)
    assert (await stock.backlog(staff)).dead_letters == before.dead_letters + 1


async def test_lags_are_told_by_the_minute_and_nothing_where_nothing_was_applied(doors: Doors) -> None:
    staff, stock = doors.actor(Role.STAFF), doors.oversight["stock"]
    late = Inbox(consumer="stock", event_id=id_of(confirmed()), applied_at=now() + timedelta(minutes=2))
    await doors.databases["stock"].write(lambda session: session.add(late))
    then, lately = await stock.lags(staff, now() - timedelta(seconds=90), 2)
    assert then is None
    assert lately is not None
    assert 119_000 < lately.p99 < 121_000
    assert (await doors.oversight["order"].lags(staff, now() - timedelta(days=9), 1)) == (None,)


async def test_what_is_to_go_wrong_is_told(doors: Doors) -> None:
    admin, product = doors.actor(Role.ADMIN), doors.oversight["product"]
    assert (await product.cause(admin, Fault("fail"))).failing == 1
    assert (await product.cause(admin, Fault("duplicate"))).duplicating == 1
    paused = await product.cause(admin, Fault("pause"))
    assert paused.paused_until is not None
    assert paused.paused_until > datetime.now(UTC)
    assert (await product.cause(admin, Fault("resume"))).paused_until is None
    assert (await product.faults(admin)).failing == 1


async def test_it_is_for_staff_and_the_audit_trail_for_admins(doors: Doors) -> None:
    customer, staff, stock = doors.actor(), doors.actor(Role.STAFF), doors.oversight["stock"]
    for call in (
        stock.events(customer, EventFilter(), None, 1),
        stock.deliveries(customer, ["id"]),
        stock.dead_letters(customer, ALL_LETTERS, None, 1),
        stock.dead_letter(customer, "id"),
        stock.replay_all(customer, ALL_LETTERS),
        stock.replay(customer, "id"),
        stock.discard(customer, "id", Discard("none")),
        stock.backlog(customer),
        stock.lags(customer, datetime.now(UTC), 1),
        stock.audit(staff, EntryFilter(), None, 1),
        stock.faults(staff),
        stock.cause(staff, Fault("fail")),
    ):
        with pytest.raises(Forbidden):
            await call

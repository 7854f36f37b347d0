"""Whatever claims to be an `EventBus` must pass this file: an outbox on one side, an inbox on the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from ecshop.events.buses.redis import RedisBus
from ecshop.events.catalog import OrderCancelled, OrderFulfilled
from ecshop.events.envelope import to_bytes
from ecshop.events.outbox import record
from ecshop.events.relay import Relay
from ecshop.events.tables import DeadLetter, Outbox
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.telemetry.cause import Cause
from ecshop.oversight.dead_letters import replay
from tests.contract.wires import Wire, count_rows
from tests.events import seal
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio


async def test_what_is_recorded_is_applied(wire: Wire) -> None:
    orders = [uuid4() for _ in range(300)]
    async with wire.listening():
        await wire.tell(*orders)
        await eventually_async(wire.applied, 300)
        await eventually_async(wire.unpublished, 0)
    assert sorted(wire.heard) == sorted(orders)


async def test_what_every_listener_has_applied_is_done_with(wire: Wire) -> None:
    async with wire.listening():
        await wire.tell(*(uuid4() for _ in range(300)))
        await wire.order.write(record, [OrderFulfilled(uuid4(), 2)])
        await eventually_async(wire.unheard, 0)
    assert await wire.applied() == 300


async def test_what_is_not_applied_is_not_done_with(wire: Wire) -> None:
    tries: list[int] = []

    def away(_: Session, events: Sequence[OrderCancelled]) -> list[str]:
        tries.append(len(events))
        raise Unavailable("the database did not answer")

    async def tried_three_times() -> bool:
        return len(tries) >= 3

    async with wire.listening(away):
        await wire.tell(uuid4())
        await eventually_async(tried_three_times, True)
        assert await wire.unheard() == 1


async def test_a_replayed_dead_letter_is_done_with_when_it_is_applied(wire: Wire) -> None:
    """It lies in the outbox of its listener, and goes by the stream of its publisher."""
    order, sound = uuid4(), asyncio.Event()

    def choke(session: Session, events: Sequence[OrderCancelled]) -> list[str]:
        if not sound.is_set():
            raise RuntimeError("choked")
        return wire.hear(session, events)

    async with wire.listening(choke):
        await wire.tell(order)
        await eventually_async(wire.dead, 1)
        await eventually_async(wire.unheard, 0)
        sound.set()
        [letter] = await wire.stock.read(lambda session: list(session.scalars(select(DeadLetter.event_id))))
        await wire.stock.write(replay, letter)
        await eventually_async(wire.applied, 1)
        await eventually_async(lambda: wire.stock.read(count_rows, Outbox, Outbox.heard_at.is_(None)), 0)
    assert wire.heard == [order]


@pytest.mark.parametrize(
    "body",
    [b'"id":"' + b"x" * 300, b'"id":"with a NUL \\u0000', b'"type":"' + b"x" * 300, b'"requestid":"' + b"x" * 300],
    ids=["a long id", "a NUL", "a long type", "a long request id"],
)
async def test_what_fits_no_table_becomes_a_dead_letter_and_holds_nobody_up(wire: Wire, body: bytes) -> None:
    order, field = uuid4(), body.partition(b":")[0]
    forged = OrderCancelled(uuid4(), 1, cause=Cause("1"))

    def forge(session: Session) -> None:
        record(session, [forged])
        [row] = session.scalars(select(Outbox))
        before, _, after = to_bytes(seal(forged)).partition(field + b':"')
        row.body = before + body + b'"' + after.partition(b'"')[2]

    await wire.order.write(forge)
    async with wire.listening():
        await wire.tell(order)
        await eventually_async(wire.applied, 1)
        await eventually_async(wire.dead, 1)
        await eventually_async(wire.unheard, 0)
    assert wire.heard == [order]


async def test_what_is_told_while_nobody_listens_is_heard_later(wire: Wire) -> None:
    order = uuid4()
    await wire.tell(order)
    async with wire.listening():
        await eventually_async(wire.applied, 1)
    assert wire.heard == [order]


async def test_types_that_nobody_listens_to_hold_nothing_up(wire: Wire) -> None:
    async with wire.listening():
        await wire.order.write(record, [OrderFulfilled(uuid4(), 2)])
        await wire.tell(uuid4())
        await eventually_async(wire.applied, 1)
        await eventually_async(wire.unpublished, 0)


async def test_what_is_published_twice_is_applied_once(wire: Wire) -> None:
    order = uuid4()
    async with wire.listening():
        await wire.tell(order)
        await eventually_async(wire.unpublished, 0)
        await eventually_async(wire.applied, 1)
        await wire.order.write(_publish_again)
        await wire.tell(uuid4())
        await eventually_async(wire.applied, 2)
        await eventually_async(wire.unpublished, 0)
    assert wire.heard.count(order) == 1


async def test_an_event_that_fails_is_tried_again_and_holds_nobody_up(wire: Wire) -> None:
    clumsy, others, failures = uuid4(), [uuid4() for _ in range(5)], iter(range(2))

    def stumble(session: Session, events: Sequence[OrderCancelled]) -> list[str]:
        if any(event.order_id == clumsy for event in events) and next(failures, None) is not None:
            raise RuntimeError("stumbled")
        return wire.hear(session, events)

    async with wire.listening(stumble):
        await wire.tell(others[0], clumsy, *others[1:])
        await eventually_async(wire.applied, 6)
    assert sorted(wire.heard) == sorted([clumsy, *others])
    assert await wire.dead() == 0


async def test_an_event_that_always_fails_becomes_a_dead_letter(wire: Wire) -> None:
    poison = uuid4()

    def choke(session: Session, events: Sequence[OrderCancelled]) -> list[str]:
        if any(event.order_id == poison for event in events):
            raise RuntimeError("choked")
        return wire.hear(session, events)

    async with wire.listening(choke):
        await wire.tell(poison, uuid4())
        await eventually_async(wire.dead, 1)
        await eventually_async(wire.unpublished, 0)
    assert await wire.applied() == 1
    letter = await wire.stock.read(lambda session: session.scalars(select(DeadLetter)).one())
    assert (letter.consumer, letter.error) == ("stock", "RuntimeError: choked")
    assert str(poison).encode() in letter.body


@pytest.mark.sqlite_only
async def test_a_database_that_is_away_is_nobodys_failed_attempt(wire: Wire) -> None:
    order, tries = uuid4(), iter(range(9))  # more than an event that fails would get

    def away(session: Session, events: Sequence[OrderCancelled]) -> list[str]:
        if next(tries, None) is not None:
            raise Unavailable("the database did not answer")
        return wire.hear(session, events)

    async with wire.listening(away):
        await wire.tell(order)
        await eventually_async(wire.applied, 1, seconds=60)
    assert (wire.heard, await wire.dead()) == ([order], 0)


async def test_events_left_behind_by_a_listener_that_died_are_taken_over(wire: Wire, redis_url: str) -> None:
    """Only a broker can leave them behind; in memory the outbox still has them."""
    order = uuid4()
    async with wire.listening():
        await wire.tell(uuid4())
        await eventually_async(wire.applied, 1)
        await eventually_async(wire.unpublished, 0)
    await wire.tell(order)
    bus = wire.bus()
    if isinstance(bus, RedisBus):
        await _deliver_to_a_consumer_that_dies(wire, bus, redis_url)
    await bus.close()
    async with wire.listening():
        await eventually_async(wire.applied, 2, seconds=30)  # a broker may lease it to the dead for a while
    assert wire.heard[1:] == [order]


async def _deliver_to_a_consumer_that_dies(wire: Wire, bus: RedisBus, url: str) -> None:
    relaying = asyncio.create_task(Relay("order", wire.order, bus).run())
    await eventually_async(wire.unpublished, 0)
    relaying.cancel()
    async with Redis.from_url(url) as redis:
        [stream] = [key async for key in redis.scan_iter(f"{wire.prefix}:*", _type="stream")]
        taken: Any = await redis.xreadgroup("stock", "dies", {stream: ">"}, count=10)
    assert taken


def _publish_again(session: Session) -> None:
    for row in session.scalars(select(Outbox)):
        row.published_at = None

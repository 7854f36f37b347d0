"""A Redis that forgets, whole or in part, with or without another name: what was not heard is sent again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from tests.contract.wires import Wire
from tests.waiting import eventually_async

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("wire", ["redis"], indirect=True)]

Loss = Callable[[Any, str], Awaitable[Any]]


async def _delete(redis: Any, stream: str) -> None:
    await redis.delete(stream)


async def _trim(redis: Any, stream: str) -> None:
    await redis.xtrim(stream, maxlen=0, approximate=False)


async def _delete_one(redis: Any, stream: str) -> None:
    [(id_, _), *_] = await redis.xrange(stream)
    await redis.xdel(stream, id_)


async def _forget_the_group_too(redis: Any, stream: str) -> None:
    async for key in redis.scan_iter(f"{stream}*"):
        await redis.delete(key)


async def _set_the_group_past_it(redis: Any, stream: str) -> None:
    await redis.xgroup_setid(stream, "stock", "$")


LOSSES = {
    "the stream": _delete,
    "all of the stream": _trim,
    "one of the stream": _delete_one,
    "everything": _forget_the_group_too,
    "where the group was": _set_the_group_past_it,
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
async def test_what_is_lost_before_it_was_taken_is_heard_all_the_same(wire: Wire, lose: Loss, redis_url: str) -> None:
    orders, fresh = [uuid4() for _ in range(5)], uuid4()
    async with wire.listening():  # the group exists, and has read something
        await wire.tell(uuid4())
        await eventually_async(wire.unheard, 0)
    async with wire.relaying("order", wire.order), Redis.from_url(redis_url) as redis:
        await wire.tell(*orders)
        await eventually_async(wire.unpublished, 0)
        await lose(redis, f"{wire.prefix}:order")
    async with wire.listening():
        await wire.tell(fresh)
        await eventually_async(wire.applied, 7)
        await eventually_async(wire.unheard, 0)
    assert sorted(wire.heard[1:]) == sorted([*orders, fresh])


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
async def test_what_is_lost_after_it_was_heard_is_not_sent_again(wire: Wire, lose: Loss, redis_url: str) -> None:
    async with wire.listening(), Redis.from_url(redis_url) as redis:
        await wire.tell(*(uuid4() for _ in range(5)))
        await eventually_async(wire.unheard, 0)
        await lose(redis, f"{wire.prefix}:order")
        await wire.tell(uuid4())
        await eventually_async(wire.unheard, 0)
        assert await redis.xlen(f"{wire.prefix}:order") <= 6
    assert await wire.applied() == 6


async def test_an_event_that_was_handed_to_a_listener_which_is_slow_is_not_lost(wire: Wire, redis_url: str) -> None:
    async with wire.relaying("order", wire.order), Redis.from_url(redis_url) as redis:
        await wire.tell(uuid4())
        await eventually_async(wire.unpublished, 0)
        await redis.xgroup_create(f"{wire.prefix}:order", "stock", id="0")
        taken: Any = await redis.xreadgroup("stock", "slow", {f"{wire.prefix}:order": ">"}, count=10)
        assert taken
        for _ in range(3):  # the relay looks in between
            await wire.tell(uuid4())
            await eventually_async(wire.unpublished, 0)
        assert await redis.xlen(f"{wire.prefix}:order") == 4


async def test_lost_receipts_cost_another_delivery_and_nothing_else(wire: Wire, redis_url: str) -> None:
    order = uuid4()
    async with wire.relaying("order", wire.order):
        await wire.tell(order)
        await eventually_async(wire.unpublished, 0)
    bus = wire.bus()
    await bus.close()
    async with wire.listening(), Redis.from_url(redis_url) as redis:
        await eventually_async(wire.applied, 1)
        await redis.delete(*[key async for key in redis.scan_iter(f"{wire.prefix}:order*")])
        await eventually_async(wire.unheard, 0)
    assert wire.heard == [order]


async def test_a_forged_receipt_is_nobodys(wire: Wire, redis_url: str) -> None:
    async with wire.relaying("order", wire.order), Redis.from_url(redis_url) as redis:
        for forged in (b"1", b"nothing at all", b"1 of another life", b"9" * 40 + b" x", b"\xff\xfe"):
            await redis.sadd(f"{wire.prefix}:order:receipts:stock:order", forged)
        await wire.tell(uuid4())
        await eventually_async(wire.unpublished, 0)
        await eventually_async(lambda: redis.scard(f"{wire.prefix}:order:receipts:stock:order"), 4)
        assert await wire.unheard() == 1

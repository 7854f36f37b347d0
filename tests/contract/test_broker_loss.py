"""A Redis that forgets, whole or in part, with or without another name: what was not heard is sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from redis.asyncio import Redis
from structlog.testing import capture_logs

from ecshop.events.buses.redis import RedisBus
from entrypoints.local.redis_server import redis_server
from tests.contract.wires import Wire
from tests.waiting import eventually_async

pytestmark = [pytest.mark.anyio, pytest.mark.sqlite_only, pytest.mark.parametrize("wire", ["redis"], indirect=True)]

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


async def test_what_one_group_was_set_past_is_sent_again_though_another_group_is_slow(
    wire: Wire, redis_url: str
) -> None:
    stream = f"{wire.prefix}:order"

    def two_groups() -> RedisBus:
        return RedisBus(redis_url, {"order": ["stock", "slow"]}, shop_id=wire.shop_id)

    wire.bus = two_groups
    async with wire.relaying("order", wire.order), Redis.from_url(redis_url) as redis:
        for group in ("stock", "slow"):
            await redis.xgroup_create(stream, group, id="0", mkstream=True)
        await wire.tell(uuid4())
        await eventually_async(wire.unpublished, 0)
        await redis.xgroup_setid(stream, "stock", "$")
        await eventually_async(lambda: redis.xlen(stream), 2)


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


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"maxmemory-policy": "allkeys-lru"}, "maxmemory-policy noeviction"),
        ({"appendonly": "no", "save": ""}, "appendonly yes"),
        ({}, None),
    ],
)
async def test_a_redis_that_may_forget_is_named_at_the_start(
    wire: Wire, settings: dict[str, str], advice: str | None, tmp_path: Path
) -> None:
    structlog.reset_defaults()
    with redis_server(tmp_path / "redis") as url:
        async with Redis.from_url(url) as redis:
            for name, value in settings.items():
                await redis.config_set(name, value)
        bus = RedisBus(url, {"order": ["stock"]}, shop_id="test")
        with capture_logs() as logs:
            running = asyncio.create_task(bus.run())
            if advice:
                await eventually_async(lambda: _said(logs), [advice])
            else:
                await eventually_async(lambda: _has_asked(url), True)
                assert await _said(logs) == []
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.close()


async def test_a_bus_that_is_stopped_while_it_looks_around_ends(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis-py swallows the request where it meets an answer."""
    looking = asyncio.Event()

    async def swallow(_: RedisBus) -> None:
        looking.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(RedisBus, "_warn", swallow)
    with redis_server(tmp_path / "redis") as url:
        bus = RedisBus(url, {"order": ["stock"]}, shop_id="test")
        running = asyncio.create_task(bus.run())
        await looking.wait()
        running.cancel()
        async with asyncio.timeout(10):
            await asyncio.gather(running, return_exceptions=True)
        await bus.close()


async def test_a_redis_that_refuses_to_make_a_group_is_waited_for(wire: Wire, tmp_path: Path) -> None:
    """Nobody asks it over and over without a pause; once it lets itself be written to, the events arrive."""
    structlog.reset_defaults()
    with redis_server(tmp_path / "redis") as url:
        wire.bus = lambda: RedisBus(url, {"order": ["stock"]}, shop_id=wire.shop_id)
        async with Redis.from_url(url) as redis:
            await redis.config_set("maxmemory", 1)
            with capture_logs() as logs:
                async with wire.listening():
                    await wire.tell(uuid4())
                    await eventually_async(lambda: _waits(logs, "the consumer stock"), True)
                    await redis.config_set("maxmemory", 0)
                    await eventually_async(wire.unheard, 0)


async def _waits(logs: list[Any], who: str) -> bool:
    return any(line.get("who") == who and "maxmemory" in line.get("error", "") for line in logs)


async def _said(logs: list[Any]) -> list[str]:
    return [line["settings"] for line in logs if "settings" in line]


async def _has_asked(url: str) -> bool:
    async with Redis.from_url(url) as redis:
        stats: Any = await redis.info("commandstats")
        return any(name.startswith("cmdstat_config") for name in stats)

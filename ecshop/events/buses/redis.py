"""Events over Redis Streams: one stream for each publishing context, one consumer group for each listening one.

Redis only carries: it is never in the request path and never the record. What it loses, the outbox still has: a group
leaves a receipt for each event that it is done with, and without those of all groups the relay sends an event again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import chain
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from ecshop.events.backoff import is_cancelled, repeat
from ecshop.events.buses.base import Published
from ecshop.events.buses.redis_group import BODY, OUTBOX, RECEIPT, Group, receipt_from, receipt_of, receipts_key
from ecshop.events.catalog import source_of
from ecshop.events.consumer import Consumer
from ecshop.events.envelope import body_of
from ecshop.events.outbox import Outgoing, Receipt, Taken
from ecshop.kernel.errors import EcshopError, Unavailable
from ecshop.kernel.telemetry.troubles import in_trouble

log = structlog.get_logger("events")

_TIMEOUT: Final = 3.0  # seconds; a stopped Redis would else hold a call for a minute
_TRIM_EVERY: Final = 30.0
_PREFIX: Final = "ecshop"


class RedisUnusable(EcshopError, code="bus.redis_unusable", status=500):
    """The address of the Redis holds something that its client cannot use."""


class RedisBus:
    """`groups` names the listeners of each publisher, so that none misses what is published before its first start.

    The streams of a shop have its id in their names; those of others on the same Redis are left alone.
    """

    def __init__(self, url: str, groups: Mapping[str, Sequence[str]], *, shop_id: str) -> None:
        self._redis = _connected_to(url)
        self._groups, self._prefix = groups, f"{_PREFIX}:{shop_id}"
        self._consumers: list[Group] = []
        self._strangers: set[str] = set()

    def connect(self, consumer: Consumer) -> None:
        streams = sorted({self._stream(source_of(type_)) for type_ in consumer.types})
        if streams:
            self._consumers.append(Group(self._redis, consumer, streams, self._declare))

    async def publish(self, outbox: str, events: Sequence[Outgoing]) -> Published:
        listened = [event for event in events if source_of(event.type) in self._groups]
        async with self._or_unavailable():
            pipeline = self._redis.pipeline(transaction=False)
            for event in listened:
                entry: dict[Any, Any] = {BODY: body_of(event.message), OUTBOX: outbox, RECEIPT: receipt_of(event)}
                pipeline.xadd(self._stream(source_of(event.type)), entry)
            ids = [id_.decode() for id_ in await pipeline.execute()]
        return Published(
            heard=[event.seq for event in events if source_of(event.type) not in self._groups],
            taken=[
                Taken(event.seq, event.event_id, f"{source_of(event.type)} {id_}")
                for event, id_ in zip(listened, ids, strict=True)
            ],
        )

    async def receipts(self, outbox: str) -> Sequence[Receipt]:
        async with self._or_unavailable():
            pipeline = self._redis.pipeline(transaction=False)
            for keys in self._receipts_of(outbox):
                pipeline.sinter(keys)
            found = await pipeline.execute()
        return [receipt for members in found for member in members if (receipt := receipt_from(member))]

    async def forget(self, outbox: str, receipts: Sequence[Receipt]) -> None:
        async with self._or_unavailable():
            pipeline = self._redis.pipeline(transaction=False)
            for key in chain(*self._receipts_of(outbox)):
                pipeline.srem(key, *map(receipt_of, receipts))
            await pipeline.execute()

    async def lost(self, outbox: str, taken: Sequence[Taken]) -> Sequence[int]:
        async with self._or_unavailable():
            gone, there = await self._look_for(taken)
            return gone + await self._passed_by(outbox, there)

    async def run(self) -> None:
        for warn in (self._warn, self._name_others):
            with suppress(Unavailable):
                await self._on_redis(warn)()
            if is_cancelled():
                return
        async with asyncio.TaskGroup() as tasks:
            for group in self._consumers:
                tasks.create_task(repeat(self._on_redis(group.read), f"the consumer {group.name}"))
                tasks.create_task(repeat(self._on_redis(group.retry), f"the retries of {group.name}"))
            tasks.create_task(repeat(self._on_redis(self._trim), "the trimming of streams"))

    async def close(self) -> None:
        await self._redis.aclose()

    async def _look_for(self, taken: Sequence[Taken]) -> tuple[list[int], list[Taken]]:
        """What is not at its place in a stream, and what is.

        A place that another entry has, as after a Redis was emptied and its clock set back, is no place of it.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for one in taken:
            source, id_ = _place(one)
            pipeline.xrange(self._stream(source), id_, id_)
        gone: list[int] = []
        there: list[Taken] = []
        for one, entries in zip(taken, await pipeline.execute(), strict=True):
            if any(fields.get(RECEIPT) == receipt_of(one) for _, fields in entries):
                there.append(one)
            else:
                gone.append(one.seq)
        return gone, there

    async def _passed_by(self, outbox: str, there: Sequence[Taken]) -> list[int]:
        """What some group has behind itself and not in hand, and has left no receipt for: it was set past it.

        Asked in this order nothing is taken for lost that is handed out, or acknowledged, in the meantime.
        """
        reached = {source: await self._reached(source) for source in {_place(one)[0] for one in there}}
        behind = [
            (one, group)
            for one in there
            for group, place in reached[_place(one)[0]].items()
            if _order_of(_place(one)[1].encode()) <= place
        ]
        pipeline = self._redis.pipeline(transaction=False)
        for one, group in behind:
            source, id_ = _place(one)
            pipeline.xpending_range(self._stream(source), group, id_, id_, 1)
            pipeline.sismember(receipts_key(self._stream(source), group, outbox), receipt_of(one).decode())
        found = await pipeline.execute() if behind else []
        checked = zip(behind, found[::2], found[1::2], strict=True)
        return sorted({one.seq for (one, _), pending, receipt in checked if not pending and not receipt})

    async def _reached(self, source: str) -> dict[str, tuple[int, int]]:
        """How far each group that we know has got; one that is not made yet will begin at the beginning."""
        groups = {group["name"].decode(): group for group in await self._groups_of(self._stream(source))}
        known = groups.keys() & set(self._groups.get(source, ()))
        return {name: _order_of(groups[name]["last-delivered-id"]) for name in known}

    def _on_redis(self, step: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def guarded() -> None:
            async with self._or_unavailable():
                await step()

        return guarded

    @asynccontextmanager
    async def _or_unavailable(self) -> AsyncIterator[None]:
        """A connection that answers no work is dropped, and Redis looked for by its name again: it may have moved."""
        try:
            yield
        except (RedisError, OSError) as cause:
            await self._redis.connection_pool.disconnect(inuse_connections=False)
            raise Unavailable(f"Redis does not answer: {cause or type(cause).__name__}") from cause

    def _stream(self, source: str) -> str:
        return f"{self._prefix}:{source}"

    def _receipts_of(self, outbox: str) -> list[list[str]]:
        """For each stream, the keys under which its groups leave their receipts for this outbox."""
        return [
            [receipts_key(self._stream(source), group, outbox) for group in groups]
            for source, groups in self._groups.items()
        ]

    async def _declare(self) -> None:
        for source, groups in self._groups.items():
            for group in groups:
                try:
                    await self._redis.xgroup_create(self._stream(source), group, id="0", mkstream=True)
                except ResponseError as cause:
                    if "BUSYGROUP" not in str(cause):  # that it exists
                        raise

    async def _warn(self) -> None:
        """Nothing is lost by a Redis that forgets, but what it forgets comes late. A hosted one may not let us ask."""
        try:
            known = await self._redis.config_get("*")
        except ResponseError:
            return
        advice = {
            "maxmemory-policy noeviction": known.get("maxmemory-policy") not in (None, "noeviction"),
            "appendonly yes": known.get("appendonly") == "no" and known.get("save") == "",
        }
        wrong = [setting for setting, is_wrong in advice.items() if is_wrong]
        if wrong:
            log.warning("Redis may forget events, which then come late; set it right", settings=", ".join(wrong))
            in_trouble("Redis", f"may forget events; set {', '.join(wrong)}")

    async def _name_others(self) -> None:
        found: set[str] = set()
        keys = self._redis.scan_iter(f"{_PREFIX}:*", count=1000, _type="stream")
        async for key in keys:
            found.add(key.decode(errors="replace").rpartition(":")[0])
        others = sorted(found - {self._prefix})
        if others:
            log.warning("other shops use this Redis too; their streams are left alone", shops=", ".join(others)[:500])

    async def _trim(self) -> None:
        """Drop what every group that we know has acknowledged; a stranger's group holds up the memory of nobody."""
        await asyncio.sleep(_TRIM_EVERY)
        for source, known in self._groups.items():
            stream = self._stream(source)
            groups = {group["name"].decode(): group for group in await self._groups_of(stream)}
            self._name_strangers(stream, groups.keys() - set(known))
            if groups.keys() >= set(known):
                oldest = [await self._oldest_needed(stream, groups[name]) for name in known]
                await self._redis.xtrim(stream, minid=min(oldest, key=_order_of), approximate=True)

    async def _groups_of(self, stream: str) -> Sequence[Any]:
        try:
            return list(await self._redis.xinfo_groups(stream))
        except ResponseError:  # there is no such stream
            return []

    async def _oldest_needed(self, stream: str, group: Any) -> bytes:
        if not group["pending"]:
            return bytes(group["last-delivered-id"])
        return await self._pending_from(stream, group["name"])

    def _name_strangers(self, stream: str, groups: Iterable[str]) -> None:
        for name in sorted(set(groups) - self._strangers):
            self._strangers.add(name)
            log.warning(
                "a group that is not of this shop reads along; what it has not read is trimmed",
                stream=stream,
                group=name,
            )

    async def _pending_from(self, stream: str, group: str) -> bytes:
        summary = await self._redis.xpending(stream, group)
        return bytes(summary["min"] or b"0")


def _connected_to(url: str) -> Redis:
    """A client that connects when it is first used; what its address says is tried before. Raises `RedisUnusable`."""
    try:
        redis = Redis.from_url(
            url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 0), protocol=2
        )
        pool: Any = redis.connection_pool
        connection = pool.make_connection()
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()
    except (ValueError, TypeError, RedisError, OSError) as cause:
        raise RedisUnusable(
            f"REDIS_URL cannot be used: {cause or type(cause).__name__}; write it like redis://127.0.0.1:6379/0"
        ) from cause
    return redis


def _place(one: Taken) -> tuple[str, str]:
    """The publisher whose stream it is in, and the id that it has there."""
    source, _, id_ = one.place.partition(" ")
    return source, id_


def _order_of(id_: bytes) -> tuple[int, int]:
    milliseconds, _, count = id_.partition(b"-")
    return int(milliseconds), int(count or 0)

"""Events over Redis Streams: one stream for each publishing context, one consumer group for each listening one.

Redis only carries: it is never in the request path and never the record. What it loses, the outbox still has.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import uuid4

from redis.asyncio import Redis
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from ecshop.events.backoff import repeat
from ecshop.events.buses.base import EVERYTHING, Published
from ecshop.events.catalog import source_of
from ecshop.events.consumer import BACKOFF, Consumer, Delivery
from ecshop.events.outbox import Outgoing
from ecshop.kernel.errors import EcshopError, Unavailable

_BODY: Final = b"ce"
_AT_ONCE: Final = 200
_BLOCK: Final = 1000  # milliseconds
_TIMEOUT: Final = 3.0  # seconds; a stopped Redis would else hold a call for a minute
_LEASE: Final = timedelta(seconds=3)
"""How long another process may sit on an event before it is taken over."""
_MOST_DELIVERIES: Final = len(BACKOFF) + 2
_RESTART_WINDOW: Final = timedelta(hours=2)
"""What a restarted Redis may have lost, back from the last event that it took.

By its default policy it saves a change within the hour, so what is older than this was saved before it went down.
"""
_TRIM_EVERY: Final = 30.0
_FORGET_CONSUMER: Final = 60_000  # milliseconds without a sign of life

_Entry = tuple[bytes, Mapping[bytes, bytes] | None]


class _Incarnation(NamedTuple):
    """Tells a Redis from the same one restarted (another run id) or emptied (another epoch)."""

    run_id: str
    epoch: str

    def __str__(self) -> str:
        return f"{self.run_id} {self.epoch}"


class RedisUnusable(EcshopError, code="bus.redis_unusable", status=500):
    """The address of the Redis holds something that its client cannot use."""


class RedisBus:
    """`groups` names the listeners of each publisher, so that none misses what is published before its first start."""

    def __init__(self, url: str, groups: Mapping[str, Sequence[str]], *, prefix: str = "ecshop") -> None:
        self._redis = _connected_to(url)
        self._groups, self._prefix = groups, prefix
        self._consumers: list[_Group] = []
        self._declared: _Incarnation | None = None

    def connect(self, consumer: Consumer) -> None:
        streams = sorted({self._stream(type_) for type_ in consumer.types})
        if streams:
            self._consumers.append(_Group(self._redis, consumer, streams, self._declare))

    async def publish(self, events: Sequence[Outgoing]) -> Published:
        async with _unavailable_without_redis():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.set(f"{self._prefix}:epoch", str(uuid4()), nx=True)
            pipeline.get(f"{self._prefix}:epoch")
            pipeline.info("server")
            for event in events:
                pipeline.xadd(self._stream(event.type), {_BODY: event.body})
            _, epoch, server, *_ = await pipeline.execute()
            incarnation = _Incarnation(server["run_id"], epoch.decode())
            if incarnation != self._declared:
                await self._declare()
                self._declared = incarnation
        return Published(done=[event.seq for event in events], broker=str(incarnation))

    def may_have_lost(self, known: str, found: str) -> timedelta:
        return may_have_lost(known, found)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for group in self._consumers:
                tasks.create_task(repeat(_on_redis(group.read), f"the consumer {group.name}"))
                tasks.create_task(repeat(_on_redis(group.retry), f"the retries of {group.name}"))
            tasks.create_task(repeat(_on_redis(self._trim), "the trimming of streams"))

    async def close(self) -> None:
        await self._redis.aclose()

    def _stream(self, type_: str) -> str:
        return f"{self._prefix}:{source_of(type_)}"

    async def _declare(self) -> None:
        for source, groups in self._groups.items():
            for group in groups:
                with suppress(ResponseError):  # BUSYGROUP: it exists
                    await self._redis.xgroup_create(f"{self._prefix}:{source}", group, id="0", mkstream=True)

    async def _trim(self) -> None:
        """Drop what every group has acknowledged."""
        await asyncio.sleep(_TRIM_EVERY)
        for source in self._groups:
            stream = f"{self._prefix}:{source}"
            oldest = [
                group["last-delivered-id"]
                if not group["pending"]
                else (await self._pending_from(stream, group["name"]))
                for group in await self._redis.xinfo_groups(stream)
            ]
            if len(oldest) >= len(self._groups[source]):
                await self._redis.xtrim(stream, minid=min(oldest, key=_order_of), approximate=True)

    async def _pending_from(self, stream: str, group: str) -> bytes:
        summary = await self._redis.xpending(stream, group)
        return bytes(summary["min"] or b"0")


class _Group:
    """One consumer's share of the streams, read under a name of this process's own."""

    def __init__(
        self, redis: Redis, consumer: Consumer, streams: Sequence[str], declare: Callable[[], Awaitable[None]]
    ) -> None:
        self.name = consumer.name
        self._redis, self._consumer, self._streams, self._declare = redis, consumer, streams, declare
        self._member = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._in_hand: set[bytes] = set()

    async def read(self) -> None:
        """Take new entries, apply them, acknowledge what is done with."""
        try:
            answer: Any = await self._redis.xreadgroup(
                self.name, self._member, dict.fromkeys(self._streams, ">"), count=_AT_ONCE, block=_BLOCK
            )
        except ResponseError as cause:
            if "NOGROUP" not in str(cause):
                raise
            await self._declare()
            return
        for stream, entries in answer or ():
            await self._apply(stream, entries, attempts=0)

    async def retry(self) -> None:
        """Try again, one by one, what failed here or was left behind by a process that died."""
        await asyncio.sleep(BACKOFF[0].total_seconds())
        for stream in self._streams:
            for entry in await self._pending(stream):
                id_, tried = entry["message_id"], int(entry["times_delivered"])
                pause = BACKOFF[min(tried, len(BACKOFF)) - 1]
                if entry["consumer"].decode() != self._member:
                    pause = max(pause, _LEASE)
                if id_ in self._in_hand or entry["time_since_delivered"] < pause / timedelta(milliseconds=1):
                    continue
                milliseconds = int(pause / timedelta(milliseconds=1))
                claimed: Any = await self._redis.xclaim(stream, self.name, self._member, milliseconds, [id_])
                if not _is_there(claimed):
                    await self._redis.xack(stream, self.name, id_)
                elif tried > _MOST_DELIVERIES:
                    await self._reject(stream, claimed, tried)
                else:
                    await self._try_again(stream, claimed, tried)
            await self._forget_the_dead(stream)

    async def _try_again(self, stream: str, entries: Sequence[_Entry], tried: int) -> None:
        try:
            await self._apply(stream, entries, attempts=tried)
        except Unavailable:  # nobody's failed attempt: Redis counted the claim, so set its count back
            ids: list[Any] = [id_ for id_, _ in entries]
            await self._redis.xclaim(stream, self.name, self._member, 0, ids, retrycount=tried, justid=True)
            raise

    async def _pending(self, stream: str) -> list[Any]:
        idle = int(BACKOFF[0] / timedelta(milliseconds=1))
        try:
            return list(await self._redis.xpending_range(stream, self.name, "-", "+", _AT_ONCE, idle=idle))
        except ResponseError:  # NOGROUP: `read` recreates it
            return []

    async def _apply(self, stream: bytes | str, entries: Sequence[_Entry], attempts: int) -> None:
        held = [(id_, fields) for id_, fields in entries if fields]
        gone = [id_ for id_, fields in entries if not fields]
        self._in_hand |= {id_ for id_, _ in held}
        try:
            verdicts = await self._consumer.handle([Delivery(fields.get(_BODY, b""), attempts) for _, fields in held])
            done = gone + [id_ for (id_, _), pause in zip(held, verdicts, strict=True) if pause is None]
            if done:
                await self._redis.xack(stream, self.name, *done)
        finally:
            self._in_hand -= {id_ for id_, _ in held}

    async def _reject(self, stream: str, entries: Sequence[_Entry], tried: int) -> None:
        """An event that was handed out again and again and never settled may be what kills its consumers."""
        for id_, fields in entries:
            await self._consumer.reject(Delivery((fields or {}).get(_BODY, b""), tried))
            await self._redis.xack(stream, self.name, id_)

    async def _forget_the_dead(self, stream: str) -> None:
        with suppress(ResponseError):
            for member in await self._redis.xinfo_consumers(stream, self.name):
                own = member["name"].decode() == self._member
                if not own and not member["pending"] and member["idle"] > _FORGET_CONSUMER:
                    await self._redis.xgroup_delconsumer(stream, self.name, member["name"])


def may_have_lost(known: str, found: str) -> timedelta:
    """By two incarnations as the relay keeps them."""
    before, now = _Incarnation(*known.split(" ")), _Incarnation(*found.split(" "))
    if before.epoch != now.epoch:
        return EVERYTHING
    return _RESTART_WINDOW if before.run_id != now.run_id else timedelta()


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


def _is_there(claimed: Sequence[_Entry]) -> bool:
    """An entry that was trimmed or deleted comes as nothing, or (before Redis 7) as a pair of nothings."""
    return bool(claimed) and claimed[0][0] is not None


def _order_of(id_: bytes) -> tuple[int, int]:
    milliseconds, _, count = id_.partition(b"-")
    return int(milliseconds), int(count or 0)


@asynccontextmanager
async def _unavailable_without_redis() -> AsyncIterator[None]:
    try:
        yield
    except (RedisError, OSError) as cause:
        raise Unavailable(f"Redis does not answer: {cause or type(cause).__name__}") from cause


def _on_redis(step: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def guarded() -> None:
        async with _unavailable_without_redis():
            await step()

    return guarded

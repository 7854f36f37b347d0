"""One consumer group on Redis Streams: takes, applies, acknowledges, tries again, and takes over from the dead."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from ecshop.events.consumer import BACKOFF, Consumer, Delivery
from ecshop.events.outbox import Outgoing, Receipt, Taken
from ecshop.kernel.errors import Unavailable

BODY: Final = b"ce"
OUTBOX: Final = b"outbox"
RECEIPT: Final = b"receipt"
"""The fields of an entry that say for whom its receipt is: an outbox, the event's place in it, and its id."""
_SEQ: Final = re.compile(r"[0-9]{1,18}")
_AT_ONCE: Final = 200
_BLOCK: Final = 1000  # milliseconds
_LEASE: Final = timedelta(seconds=3)
"""How long another process may sit on an event before it is taken over."""
_MOST_DELIVERIES: Final = len(BACKOFF) + 2
_FORGET_CONSUMER: Final = 60_000  # milliseconds without a sign of life

_Entry = tuple[bytes, Mapping[bytes, bytes] | None]


def receipt_of(event: Outgoing | Receipt | Taken) -> bytes:
    return f"{event.seq} {event.event_id}".encode()


def receipt_from(member: bytes) -> Receipt | None:
    """None for what cannot be one of ours: anybody may write to a Redis that has no password."""
    seq, _, event_id = member.decode(errors="replace").partition(" ")
    return Receipt(int(seq), event_id) if _SEQ.fullmatch(seq) else None


def receipts_key(stream: str, group: str, outbox: str) -> str:
    """Of the set in which a group leaves its receipts for an outbox."""
    return f"{stream}:receipts:{group}:{outbox}"


class Group:
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
            verdicts = await self._consumer.handle([Delivery(fields.get(BODY, b""), attempts) for _, fields in held])
            done = [entry for entry, pause in zip(held, verdicts, strict=True) if pause is None]
            await self._acknowledge(stream, [*done, *((id_, None) for id_ in gone)])
        finally:
            self._in_hand -= {id_ for id_, _ in held}

    async def _reject(self, stream: str, entries: Sequence[_Entry], tried: int) -> None:
        """An event that was handed out again and again and never settled may be what kills its consumers."""
        for id_, fields in entries:
            await self._consumer.reject(Delivery((fields or {}).get(BODY, b""), tried))
            await self._acknowledge(stream, [(id_, fields)])

    async def _acknowledge(self, stream: bytes | str, entries: Sequence[_Entry]) -> None:
        """The receipts first: an entry that is acknowledged without one is sent again once it is trimmed."""
        if not entries:
            return
        name = stream.decode() if isinstance(stream, bytes) else stream
        pipeline = self._redis.pipeline(transaction=True)
        for outbox, receipts in _receipts(entries).items():
            pipeline.sadd(receipts_key(name, self.name, outbox), *receipts)
        pipeline.xack(stream, self.name, *(id_ for id_, _ in entries))
        await pipeline.execute()

    async def _forget_the_dead(self, stream: str) -> None:
        with suppress(ResponseError):
            for member in await self._redis.xinfo_consumers(stream, self.name):
                own = member["name"].decode() == self._member
                if not own and not member["pending"] and member["idle"] > _FORGET_CONSUMER:
                    await self._redis.xgroup_delconsumer(stream, self.name, member["name"])


def _receipts(entries: Sequence[_Entry]) -> dict[str, list[bytes]]:
    """By the outbox that they are for."""
    found: dict[str, list[bytes]] = {}
    for _, fields in entries:
        if fields and OUTBOX in fields and RECEIPT in fields:
            found.setdefault(fields[OUTBOX].decode(errors="replace"), []).append(fields[RECEIPT])
    return found


def _is_there(claimed: Sequence[_Entry]) -> bool:
    """An entry that was trimmed or deleted comes as nothing, or (before Redis 7) as a pair of nothings."""
    return bool(claimed) and claimed[0][0] is not None

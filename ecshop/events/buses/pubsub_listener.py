"""One listener's subscription on Pub/Sub: takes, applies, says so, acknowledges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from ecshop.events.buses.pubsub_project import LEASE, Message, Project
from ecshop.events.consumer import Consumer, Delivery
from ecshop.kernel.errors import Unavailable

OUTBOX: Final = "outbox"
SEQ: Final = "seq"
EVENT: Final = "event"
TYPE: Final = "type"
LISTENER: Final = "listener"
"""The attributes of a message that say for whom its receipt is; and of a receipt, whose it is."""
_AT_ONCE: Final = 500
_MOST_REMEMBERED: Final = 10_000


class Listener:
    """Takes no more than it applies at once; what it has taken stays its own while its database is away."""

    def __init__(self, project: Project, consumer: Consumer, type_: str) -> None:
        self.name = f"{consumer.name} of {type_}"
        self._project, self._consumer = project, consumer
        self._subscription = project.names.subscription(type_, consumer.name).id
        self._in_hand: Sequence[Message] = ()
        self._tries: dict[str, int] = {}
        """By message, of those that have failed here lately."""

    async def step(self) -> None:
        if self._in_hand:
            await self._project.hold(self._subscription, _handles(self._in_hand), LEASE)
        else:
            self._in_hand = await self._project.pull(self._subscription, _AT_ONCE)
        if self._in_hand:
            deliveries = [Delivery(one.body, self._tries.get(one.id, 0)) for one in self._in_hand]
            await self._settle(await self._consumer.handle(deliveries))

    async def release(self) -> None:
        """Have others get at once what is still in hand."""
        with suppress(Unavailable):
            await self._project.hold(self._subscription, _handles(self._in_hand), 0)

    async def _settle(self, verdicts: Sequence[timedelta | None]) -> None:
        """The receipts first: an event that is acknowledged without one is never done with."""
        done = [one for one, pause in zip(self._in_hand, verdicts, strict=True) if pause is None]
        await self._say(done)
        await self._project.acknowledge(self._subscription, _handles(done))
        for one in done:
            self._tries.pop(one.id, None)
        pauses: dict[int, list[Message]] = {}
        for one, pause in zip(self._in_hand, verdicts, strict=True):
            if pause is not None:
                self._tries[one.id] = self._tries.get(one.id, 0) + 1
                pauses.setdefault(math.ceil(pause.total_seconds()), []).append(one)
        while len(self._tries) > _MOST_REMEMBERED:
            del self._tries[next(iter(self._tries))]
        self._in_hand = ()
        for seconds, failed in pauses.items():
            await self._project.hold(self._subscription, _handles(failed), seconds)

    async def _say(self, done: Sequence[Message]) -> None:
        receipts: dict[str, list[tuple[bytes, dict[str, str]]]] = {}
        for one in done:
            outbox = one.attributes.get(OUTBOX)
            if outbox in self._project.names.outboxes:
                receipts.setdefault(outbox, []).append((b"", one.attributes | {LISTENER: self._consumer.name}))
        for outbox, some in receipts.items():
            await self._project.publish(self._project.names.receipts(outbox).topic, some)


def _handles(messages: Sequence[Message]) -> list[str]:
    return [one.handle for one in messages]

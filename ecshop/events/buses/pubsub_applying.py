"""What is done with one listener's messages on Pub/Sub, pulled or pushed: they are applied, and the outbox is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from ecshop.events.buses.pubsub_project import Message, Project
from ecshop.events.consumer import Consumer, Delivery

OUTBOX: Final = "outbox"
SEQ: Final = "seq"
EVENT: Final = "event"
TYPE: Final = "type"
LISTENER: Final = "listener"
"""The attributes of a message that say for whom its receipt is; and of a receipt, whose it is."""
_MOST_REMEMBERED: Final = 10_000


class Applying:
    """The tries of an event are counted where it fails: what Pub/Sub counts are deliveries, also to the dead."""

    def __init__(self, project: Project, consumer: Consumer) -> None:
        self._project, self._consumer = project, consumer
        self._tries: dict[str, int] = {}
        """By message, of those that have failed here lately."""

    async def apply(self, messages: Sequence[Message]) -> list[timedelta | None]:
        """For each, None when it is done with, and may be acknowledged; else the pause before its next try.

        Raises `Unavailable`, also for want of a receipt: an event that is acknowledged without one is never done with.
        """
        verdicts = await self._consumer.handle([Delivery(one.body, self._tries.get(one.id, 0)) for one in messages])
        await self._say([one for one, pause in zip(messages, verdicts, strict=True) if pause is None])
        for one, pause in zip(messages, verdicts, strict=True):
            if pause is None:
                self._tries.pop(one.id, None)
            else:
                self._tries[one.id] = self._tries.get(one.id, 0) + 1
        while len(self._tries) > _MOST_REMEMBERED:
            del self._tries[next(iter(self._tries))]
        return verdicts

    async def _say(self, done: Sequence[Message]) -> None:
        receipts: dict[str, list[tuple[bytes, dict[str, str]]]] = {}
        for one in done:
            outbox = one.attributes.get(OUTBOX)
            if outbox in self._project.names.outboxes:
                receipts.setdefault(outbox, []).append((b"", one.attributes | {LISTENER: self._consumer.name}))
        for outbox, some in receipts.items():
            await self._project.publish(self._project.names.receipts(outbox).topic, some)

"""The bus inside one process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from ecshop.events.buses.base import Published
from ecshop.events.consumer import Consumer, Delivery
from ecshop.events.outbox import Outgoing, Postponed, Receipt, Taken
from ecshop.kernel.clock import now


class MemoryBus:
    """The outbox is the queue: an event is done when every consumer in this process has committed its effect."""

    def __init__(self) -> None:
        self._consumers: list[Consumer] = []

    def connect(self, consumer: Consumer) -> None:
        self._consumers.append(consumer)

    async def publish(self, outbox: str, events: Sequence[Outgoing]) -> Published:
        verdicts = await asyncio.gather(*(_deliver(consumer, events) for consumer in self._consumers))
        pauses: dict[int, timedelta] = {}
        for verdict in verdicts:
            for seq, pause in verdict.items():
                pauses[seq] = max(pause, pauses.get(seq, pause))
        return Published(
            heard=[event.seq for event in events if event.seq not in pauses],
            postponed=[Postponed(seq, now() + pause) for seq, pause in pauses.items()],
        )

    async def receipts(self, outbox: str) -> Sequence[Receipt]:
        """None: `publish` says it."""
        return ()

    async def forget(self, outbox: str, receipts: Sequence[Receipt]) -> None:
        pass

    async def lost(self, outbox: str, taken: Sequence[Taken]) -> Sequence[int]:
        """None that is heard; what a broker had taken before the shop became one process is there no more."""
        return [one.seq for one in taken]

    async def run(self) -> None:
        """Nothing to do: `publish` delivers."""

    async def close(self) -> None:
        pass


async def _deliver(consumer: Consumer, events: Sequence[Outgoing]) -> dict[int, timedelta]:
    heard = [event for event in events if event.type in consumer.types]
    if not heard:
        return {}
    pauses = await consumer.handle([Delivery(event.message, event.attempts) for event in heard])
    return {event.seq: pause for event, pause in zip(heard, pauses, strict=True) if pause is not None}

"""How events get from an outbox to their consumers: the protocol of all buses, and the one inside a process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from ecshop.events.consumer import Consumer, Delivery
from ecshop.events.outbox import Outgoing, Postponed
from ecshop.kernel.columns import now


class Incarnation(NamedTuple):
    """Tells a broker from the same one restarted (another run id) or emptied (another epoch)."""

    run_id: str
    epoch: str


class Published(NamedTuple):
    """What became of the events that a bus was given."""

    done: Sequence[int]
    postponed: Sequence[Postponed] = ()
    incarnation: Incarnation | None = None


class EventBus(Protocol):
    async def publish(self, events: Sequence[Outgoing]) -> Published:
        """Take the events over, at least once each; raises `Unavailable` when the bus can take none."""
        ...

    def connect(self, consumer: Consumer) -> None:
        """Deliver to this consumer what it listens to."""
        ...

    async def run(self) -> None:
        """Deliver until cancelled."""
        ...

    async def close(self) -> None: ...


def cancelled() -> bool:
    """Whether this task has been asked to stop; redis-py may swallow the request where it meets an answer."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class MemoryBus:
    """The outbox is the queue: an event is done when every consumer in this process has committed its effect."""

    def __init__(self) -> None:
        self._consumers: list[Consumer] = []

    def connect(self, consumer: Consumer) -> None:
        self._consumers.append(consumer)

    async def publish(self, events: Sequence[Outgoing]) -> Published:
        verdicts = await asyncio.gather(*(_deliver(consumer, events) for consumer in self._consumers))
        pauses: dict[int, timedelta] = {}
        for verdict in verdicts:
            for seq, pause in verdict.items():
                pauses[seq] = max(pause, pauses.get(seq, pause))
        return Published(
            done=[event.seq for event in events if event.seq not in pauses],
            postponed=[Postponed(seq, now() + pause) for seq, pause in pauses.items()],
        )

    async def run(self) -> None:
        """Nothing to do: `publish` delivers."""

    async def close(self) -> None:
        pass


async def _deliver(consumer: Consumer, events: Sequence[Outgoing]) -> dict[int, timedelta]:
    heard = [event for event in events if event.type in consumer.types]
    if not heard:
        return {}
    pauses = await consumer.handle([Delivery(event.body, event.attempts) for event in heard])
    return {event.seq: pause for event, pause in zip(heard, pauses, strict=True) if pause is not None}

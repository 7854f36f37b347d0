"""How events get from an outbox to their consumers: the protocol of all buses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ecshop.events.consumer import Consumer
from ecshop.events.outbox import Outgoing, Postponed


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

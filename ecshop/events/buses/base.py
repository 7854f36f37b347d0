"""How events get from an outbox to their consumers: the protocol of all buses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

from ecshop.events.consumer import Consumer
from ecshop.events.outbox import Outgoing, Postponed

EVERYTHING: Final = timedelta.max
"""What a broker may have lost that has been emptied."""


class Published(NamedTuple):
    """What became of the events that a bus was given.

    By `broker` the bus recognises what it has given them to. The relay keeps it and cannot read it.
    """

    done: Sequence[int]
    postponed: Sequence[Postponed] = ()
    broker: str = ""


class EventBus(Protocol):
    async def publish(self, events: Sequence[Outgoing]) -> Published:
        """Take the events over, at least once each; raises `Unavailable` when the bus can take none."""
        ...

    def may_have_lost(self, known: str, found: str) -> timedelta:
        """What may be gone now that the broker is another one, as a span back from the last publication."""
        ...

    def connect(self, consumer: Consumer) -> None:
        """Deliver to this consumer what it listens to."""
        ...

    async def run(self) -> None:
        """Deliver until cancelled."""
        ...

    async def close(self) -> None: ...

"""How events get from an outbox to their consumers: the protocol of all buses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ecshop.events.consumer import Consumer
from ecshop.events.outbox import Outgoing, Postponed, Receipt, Taken


class Published(NamedTuple):
    """What became of the events that a bus was given.

    Every listener has applied what is `heard`. What is `taken` lies with a broker, which may lose it: it is not done
    before a receipt says so.
    """

    heard: Sequence[int] = ()
    taken: Sequence[Taken] = ()
    postponed: Sequence[Postponed] = ()


class EventBus(Protocol):
    """`outbox` is the context whose outbox the events are in. A replayed dead letter is in that of its listener."""

    async def publish(self, outbox: str, events: Sequence[Outgoing]) -> Published:
        """Take the events over, at least once each; raises `Unavailable` when the bus can take none."""
        ...

    async def receipts(self, outbox: str) -> Sequence[Receipt]:
        """Of the events that a broker took, those that every listener has applied."""
        ...

    async def forget(self, outbox: str, receipts: Sequence[Receipt]) -> None:
        """They are noted in the outbox and need not be told again."""
        ...

    async def lost(self, outbox: str, taken: Sequence[Taken]) -> Sequence[int]:
        """Those that some listener will not get, as the broker is now; what it has got by now may be among them."""
        ...

    def connect(self, consumer: Consumer) -> None:
        """Deliver to this consumer what it listens to."""
        ...

    async def run(self) -> None:
        """Deliver until cancelled."""
        ...

    async def close(self) -> None: ...

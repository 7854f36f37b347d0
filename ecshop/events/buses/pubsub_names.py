"""What a shop has in a Google Cloud project: a topic for each type of event, and a subscription for each listener."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from ecshop.events.catalog import source_of

_FIRST_VERSION: Final = "v1"


class Subscription(NamedTuple):
    """A subscription and the topic that it is of, by their ids within the project."""

    topic: str
    id: str


@dataclass(frozen=True)
class Names:
    """`listeners` are those of each type of event. All ids begin with the `prefix`."""

    prefix: str
    listeners: Mapping[str, Sequence[str]]

    def topic(self, type_: str) -> str:
        """`ecshop.order.confirmed.v1` is published as `order-confirmed`, a second version as `order-confirmed-v2`."""
        _, source, fact, version = type_.split(".")
        words = [source, *fact.split("_"), *([] if version == _FIRST_VERSION else [version])]
        return self.prefix + "-".join(words)

    def subscription(self, type_: str, listener: str) -> Subscription:
        topic = self.topic(type_)
        return Subscription(topic, f"{topic}-{listener}")

    def receipts(self, outbox: str) -> Subscription:
        """Where listeners say to an outbox what they are done with: a topic with one subscription of the same name."""
        return Subscription(f"{self.prefix}receipts-{outbox}", f"{self.prefix}receipts-{outbox}")

    @property
    def dead_letters(self) -> Subscription:
        """Where goes what was handed out a hundred times: a backstop, for a listener keeps dead letters itself."""
        return Subscription(f"{self.prefix}dead-letters", f"{self.prefix}dead-letters")

    def is_for_receipts(self, one: Subscription) -> bool:
        return one.id.startswith(f"{self.prefix}receipts-")

    @cached_property
    def outboxes(self) -> frozenset[str]:
        """Of those who tell, and of those who listen: a dead letter that is replayed is in its listener's."""
        return frozenset(source_of(type_) for type_ in self.listeners).union(*self.listeners.values())

    @property
    def subscriptions(self) -> list[Subscription]:
        """All that there have to be, receipts included."""
        heard = [self.subscription(type_, name) for type_, names in self.listeners.items() for name in names]
        return sorted([*heard, *map(self.receipts, self.outboxes)])

"""A broker at its worst: it delivers late, twice and in any order, and may forget what it has taken at any moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ecshop.events.buses.base import Published
from ecshop.events.catalog import source_of
from ecshop.events.consumer import Consumer, Delivery
from ecshop.events.envelope import body_of
from ecshop.events.outbox import Outgoing, Receipt, Taken


class Entry(NamedTuple):
    place: str
    source: str
    outbox: str
    receipt: Receipt
    body: bytes


class Handout(NamedTuple):
    group: str
    entry: Entry


class ForgetfulBroker:
    """`groups` names the listeners of each publisher; it keeps a stream for each publisher, and receipts as Redis does.

    Nothing is delivered by itself.
    """

    def __init__(self, groups: Mapping[str, Sequence[str]]) -> None:
        self._groups = groups
        self._consumers: dict[str, Consumer] = {}
        self._ever: list[Entry] = []
        self._entries: dict[str, Entry] = {}
        self._behind: set[tuple[str, str]] = set()
        self._receipts: set[tuple[str, str, str, Receipt]] = set()

    def connect(self, consumer: Consumer) -> None:
        self._consumers[consumer.name] = consumer

    async def publish(self, outbox: str, events: Sequence[Outgoing]) -> Published:
        taken: list[Taken] = []
        for event in events:
            place, source = str(len(self._ever)), source_of(event.type)
            self._entries[place] = Entry(
                place, source, outbox, Receipt(event.seq, event.event_id), body_of(event.message)
            )
            self._ever.append(self._entries[place])
            taken.append(Taken(event.seq, event.event_id, place))
        return Published(taken=taken)

    async def receipts(self, outbox: str) -> Sequence[Receipt]:
        found: list[Receipt] = []
        for source, groups in self._groups.items():
            left = [{one[3] for one in self._receipts if one[:3] == (source, group, outbox)} for group in groups]
            found += sorted(set.intersection(*left))
        return found

    async def forget(self, outbox: str, receipts: Sequence[Receipt]) -> None:
        self._receipts = {one for one in self._receipts if one[2] != outbox or one[3] not in receipts}

    async def lost(self, outbox: str, taken: Sequence[Taken]) -> Sequence[int]:
        return [one.seq for one in taken if not self._has(one)]

    async def run(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    def in_hand(self) -> list[Handout]:
        """What some listener may have taken and not yet applied, or may get again: all that there ever was."""
        return [Handout(group, entry) for entry in self._ever for group in self._groups[entry.source]]

    def waiting(self) -> list[Handout]:
        """What each listener is still to be given, as the broker is now."""
        entries = self._entries.values()
        return [
            Handout(group, entry)
            for entry in entries
            for group in self._groups[entry.source]
            if (group, entry.place) not in self._behind
        ]

    async def deliver(self, handouts: Sequence[Handout], *, answered: bool = True) -> None:
        """Unless it is `answered` the listener stops between its commit and its receipt."""
        for name, consumer in self._consumers.items():
            entries = [handout.entry for handout in handouts if handout.group == name]
            verdicts = await consumer.handle([Delivery(entry.body, attempts=0) for entry in entries])
            for entry, verdict in zip(entries, verdicts, strict=True):
                if verdict is None and answered:
                    self._behind.add((name, entry.place))
                    self._receipts.add((entry.source, name, entry.outbox, entry.receipt))

    def lose_stream(self, source: str) -> None:
        self._entries = {place: entry for place, entry in self._entries.items() if entry.source != source}

    def lose_receipts(self, source: str) -> None:
        self._receipts = {one for one in self._receipts if one[0] != source}

    def set_forward(self, source: str) -> None:
        """The groups of this stream believe that they have read all that is in it."""
        self._behind |= {(group, entry.place) for group, entry in self.waiting() if entry.source == source}

    def _has(self, one: Taken) -> bool:
        entry = self._entries.get(one.place)
        return entry is not None and all(
            (group, entry.place) not in self._behind
            or (entry.source, group, entry.outbox, entry.receipt) in self._receipts
            for group in self._groups[entry.source]
        )

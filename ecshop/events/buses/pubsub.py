"""Events over Google Cloud Pub/Sub: one topic for each type of event, one subscription for each listener.

Neither order nor exactly-once delivery is asked of it: the inbox does that work. A listener says to the outbox that an
event is from what it is done with, on a topic of that outbox's own; until all have said so, the event is not done.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final

from ecshop.events.backoff import repeat
from ecshop.events.buses.base import Published
from ecshop.events.buses.pubsub_applying import EVENT, LISTENER, OUTBOX, SEQ, TYPE, Applying
from ecshop.events.buses.pubsub_listener import Listener
from ecshop.events.buses.pubsub_project import Message, Project
from ecshop.events.consumer import Consumer
from ecshop.events.envelope import body_of
from ecshop.events.outbox import Outgoing, Receipt, Taken

_RECEIPTS_AT_ONCE: Final = 1000
_SEQ: Final = re.compile("[0-9]{1,18}")
_MOMENT: Final = 0.05  # seconds
_by_type = attrgetter("type")


class PubSubBus:
    """Topics and subscriptions have to be there: `Project.create` makes them."""

    def __init__(self, project: Project, *, pulls: bool = True) -> None:
        """Where it does not pull, events are pushed: they are `receive`d."""
        self._project, self._names, self._pulls = project, project.names, pulls
        self._applying: dict[str, Applying] = {}
        """By subscription."""
        self._outboxes = project.names.outboxes
        self._said: dict[str, dict[Receipt, _Said]] = {}
        """By outbox, what some of the listeners of an event have said, or all, and is not noted yet."""
        self._pulling: dict[str, asyncio.Task[list[Message]]] = {}

    def connect(self, consumer: Consumer) -> None:
        for type_ in sorted(consumer.types & self._names.listeners.keys()):
            subscription = self._names.subscription(type_, consumer.name).id
            self._applying[subscription] = Applying(self._project, consumer)

    async def receive(self, subscription: str, message: Message) -> timedelta | None:
        """As a listener's that was pulled; raises `Unavailable`, or `KeyError` for a subscription of nobody here."""
        [verdict] = await self._applying[subscription].apply([message])
        return verdict

    async def publish(self, outbox: str, events: Sequence[Outgoing]) -> Published:
        listened = sorted((event for event in events if event.type in self._names.listeners), key=_by_type)
        taken: list[Taken] = []
        for type_, some in groupby(listened, key=_by_type):
            together = list(some)
            messages = [(body_of(event.message), _attributes(outbox, event)) for event in together]
            ids = await self._project.publish(self._names.topic(type_), messages)
            taken += [Taken(event.seq, event.event_id, id_) for event, id_ in zip(together, ids, strict=True)]
        return Published(heard=[event.seq for event in events if event.type not in self._names.listeners], taken=taken)

    async def receipts(self, outbox: str) -> Sequence[Receipt]:
        if outbox not in self._outboxes:
            return ()
        said = self._said.setdefault(outbox, {})
        while messages := await self._next_receipts(outbox):
            strange: list[str] = []
            for message in messages:
                if receipt := _receipt_in(message):
                    said.setdefault(receipt, _Said()).add(message)
                else:
                    strange.append(message.handle)
            await self._project.acknowledge(self._names.receipts(outbox).id, strange)
        return [receipt for receipt, by in said.items() if by.listeners >= set(self._names.listeners.get(by.type, ()))]

    async def forget(self, outbox: str, receipts: Sequence[Receipt]) -> None:
        said = self._said.setdefault(outbox, {})
        handles = [handle for receipt in receipts if receipt in said for handle in said.pop(receipt).handles]
        await self._project.acknowledge(self._names.receipts(outbox).id, handles)

    async def lost(self, outbox: str, taken: Sequence[Taken]) -> Sequence[int]:
        """None that is known of: a subscription does not say what it has. What was lost is sent again by hand."""
        return ()

    async def run(self) -> None:
        listeners = [Listener(self._project, *one) for one in self._applying.items() if self._pulls]
        try:
            async with asyncio.TaskGroup() as tasks:
                for listener in listeners:
                    tasks.create_task(repeat(listener.step, f"the listener of {listener.subscription}"))
        finally:
            await asyncio.gather(*(listener.release() for listener in listeners))

    async def close(self) -> None:
        for pulling in self._pulling.values():
            pulling.cancel()
        await asyncio.gather(*self._pulling.values(), return_exceptions=True)
        await self._project.close()

    async def _next_receipts(self, outbox: str) -> Sequence[Message]:
        """Nothing where none comes in a moment: the call goes on, and its answer is the next one's."""
        if outbox not in self._pulling:
            pull = self._project.pull(self._names.receipts(outbox).id, _RECEIPTS_AT_ONCE)
            self._pulling[outbox] = asyncio.create_task(pull)
        done, _ = await asyncio.wait([self._pulling[outbox]], timeout=_MOMENT)
        return self._pulling.pop(outbox).result() if done else ()


class _Said:
    """What has been said of an event, and the messages in which it was."""

    def __init__(self) -> None:
        self.type = ""
        self.listeners: set[str] = set()
        self.handles: list[str] = []

    def add(self, message: Message) -> None:
        self.type = message.attributes.get(TYPE, "")
        self.listeners.add(message.attributes.get(LISTENER, ""))
        self.handles.append(message.handle)


def _attributes(outbox: str, event: Outgoing) -> dict[str, str]:
    return {OUTBOX: outbox, SEQ: str(event.seq), EVENT: event.event_id, TYPE: event.type}


def _receipt_in(message: Message) -> Receipt | None:
    """None for what is none: who may publish to a topic may write anything."""
    seq, event_id = message.attributes.get(SEQ, ""), message.attributes.get(EVENT, "")
    return Receipt(int(seq), event_id) if _SEQ.fullmatch(seq) else None

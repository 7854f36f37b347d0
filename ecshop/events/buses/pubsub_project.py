"""The calls of Google Cloud Pub/Sub that a bus needs, on a project or on the emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final, NamedTuple

import grpc
from google.api_core.exceptions import AlreadyExists, DeadlineExceeded, GoogleAPICallError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from google.pubsub_v1.types import DeadLetterPolicy, ExpirationPolicy, PubsubMessage
from google.pubsub_v1.types import Subscription as SubscriptionRequest

from ecshop.events.buses.pubsub_names import Names, Subscription
from ecshop.kernel.errors import EcshopError, Unavailable

LEASE: Final = 10
"""Seconds that a listener has for what it was handed: the least that there is, so that the dead hold up nothing."""
RECEIPT_LEASE: Final = 20
_TIMEOUT: Final = 3.0  # seconds
_WAIT: Final = 20.0  # seconds in which one call waits for messages
MOST_DELIVERIES: Final = 100
KEPT: Final = timedelta(days=7)


class PubSubUnusable(EcshopError, code="bus.pubsub_unusable", status=500):
    """There is no leave to use the project."""


class Message(NamedTuple):
    """One that was handed out; `handle` is what it is acknowledged by."""

    handle: str
    body: bytes
    attributes: dict[str, str]
    id: str = ""


class Project:
    def __init__(self, name: str, names: Names, emulator: str = "") -> None:
        """`emulator` is the host and port of one, which forgets all when it ends: there, what is missing is made anew.

        Raises `PubSubUnusable`.
        """
        self._name, self.names = name, names
        self._makes = self._is_new = bool(emulator)
        try:
            self._publisher, self._subscriber = (
                _on(emulator)
                if emulator
                else (
                    PublisherAsyncClient(),
                    SubscriberAsyncClient(),
                )
            )
        except GoogleAuthError as cause:
            raise PubSubUnusable(f"Pub/Sub cannot be used: {cause}") from cause

    async def publish(self, topic: str, messages: Sequence[tuple[bytes, dict[str, str]]]) -> list[str]:
        """Returns the ids that they have got."""
        wanted = [PubsubMessage(data=body, attributes=attributes) for body, attributes in messages]
        async with self._using(f"topic {topic}"):
            answer = await self._publisher.publish(
                topic=self._topic(topic), messages=wanted, retry=None, timeout=_TIMEOUT
            )
        return list(answer.message_ids)

    async def pull(self, subscription: str, most: int) -> list[Message]:
        """What waits, or the next that comes; nothing when nothing comes for a while."""
        async with self._using(f"subscription {subscription}"):
            try:
                answer = await self._subscriber.pull(
                    subscription=self._subscription(subscription), max_messages=most, retry=None, timeout=_WAIT
                )
            except DeadlineExceeded:
                return []
        return [
            Message(one.ack_id, one.message.data, dict(one.message.attributes), one.message.message_id)
            for one in answer.received_messages
        ]

    async def acknowledge(self, subscription: str, handles: list[str]) -> None:
        if handles:
            async with self._using(f"subscription {subscription}"):
                await self._subscriber.acknowledge(
                    subscription=self._subscription(subscription), ack_ids=handles, retry=None, timeout=_TIMEOUT
                )

    async def hold(self, subscription: str, handles: list[str], seconds: int) -> None:
        """They are handed out again after so many seconds from now, unless they are acknowledged."""
        if handles:
            async with self._using(f"subscription {subscription}"):
                await self._subscriber.modify_ack_deadline(
                    subscription=self._subscription(subscription),
                    ack_ids=handles,
                    ack_deadline_seconds=seconds,
                    retry=None,
                    timeout=_TIMEOUT,
                )

    async def create(self) -> list[tuple[str, bool]]:
        """All topics and subscriptions, and whether each had to be made."""
        dead, subscriptions = self.names.dead_letters, self.names.subscriptions
        topics = dict.fromkeys(one.topic for one in (dead, *subscriptions))
        made = [await self._create_topic(topic) for topic in topics]
        made.append(await self._create_subscription(dead, LEASE))
        for one in subscriptions:
            if self.names.is_for_receipts(one):
                made.append(await self._create_subscription(one, RECEIPT_LEASE))
            else:
                made.append(await self._create_subscription(one, LEASE, dead_letters=dead.topic))
        return made

    async def close(self) -> None:
        for client in (self._publisher, self._subscriber):
            await client.transport.close()  # type: ignore[no-untyped-call]  # it has no types

    async def _create_topic(self, id_: str) -> tuple[str, bool]:
        with _or_unavailable():
            try:
                await self._publisher.create_topic(name=self._topic(id_), retry=None, timeout=_TIMEOUT)
            except AlreadyExists:
                return f"topic {id_}", False
        return f"topic {id_}", True

    async def _create_subscription(self, one: Subscription, lease: int, dead_letters: str = "") -> tuple[str, bool]:
        letters = self._topic(dead_letters) if dead_letters else ""
        wanted = SubscriptionRequest(
            name=self._subscription(one.id),
            topic=self._topic(one.topic),
            ack_deadline_seconds=lease,
            message_retention_duration=KEPT,
            expiration_policy=ExpirationPolicy(),  # without a time it never goes away
            dead_letter_policy=DeadLetterPolicy(dead_letter_topic=letters, max_delivery_attempts=MOST_DELIVERIES)
            if letters
            else None,
        )
        with _or_unavailable():
            try:
                await self._subscriber.create_subscription(wanted, retry=None, timeout=_TIMEOUT)
            except AlreadyExists:
                if not await self._is_of_another_topic(wanted):
                    return f"subscription {one.id}", False
                await self._subscriber.delete_subscription(subscription=wanted.name, retry=None, timeout=_TIMEOUT)
                await self._subscriber.create_subscription(wanted, retry=None, timeout=_TIMEOUT)
        return f"subscription {one.id}", True

    async def _is_of_another_topic(self, wanted: SubscriptionRequest) -> bool:
        """A topic that was deleted and made again is another one, from which its subscriptions get nothing."""
        found = await self._subscriber.get_subscription(subscription=wanted.name, retry=None, timeout=_TIMEOUT)
        return found.topic != wanted.topic

    @asynccontextmanager
    async def _using(self, what: str) -> AsyncIterator[None]:
        if self._is_new:
            await self.create()
            self._is_new = False
        try:
            with _or_unavailable():
                yield
        except NotFound as cause:
            self._is_new = self._makes
            raise Unavailable(f"Pub/Sub has no {what}; `ecshop bus create` makes it") from cause

    def _topic(self, id_: str) -> str:
        return f"projects/{self._name}/topics/{id_}"

    def _subscription(self, id_: str) -> str:
        return f"projects/{self._name}/subscriptions/{id_}"


def _on(emulator: str) -> tuple[PublisherAsyncClient, SubscriberAsyncClient]:
    return (
        PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(emulator))),
        SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(emulator))),
    )


@contextmanager
def _or_unavailable() -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise
    except (GoogleAPICallError, GoogleAuthError, grpc.RpcError) as cause:
        raise Unavailable(f"Pub/Sub does not answer: {cause}") from cause

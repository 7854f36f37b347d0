"""What Pub/Sub alone can do to events, and what heals it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from ecshop.events.buses.pubsub import PubSubBus
from ecshop.events.buses.pubsub_names import Names
from ecshop.events.buses.pubsub_project import Project
from ecshop.events.catalog import OrderCancelled
from ecshop.events.consumer import Consumer
from ecshop.events.outbox import resend_published
from ecshop.kernel.clock import now
from entrypoints.local.ports import free_port
from entrypoints.local.pubsub_emulator import pubsub_emulator
from tests.contract.wires import BACKOFF, Wire
from tests.waiting import eventually_async

pytestmark = [pytest.mark.anyio, pytest.mark.sqlite_only, pytest.mark.parametrize("wire", ["pubsub"], indirect=True)]

TWO_LISTEN = Names("two-", {OrderCancelled.type: ["product", "stock"]})


async def test_topics_and_subscriptions_are_made_once(wire: Wire, pubsub_host: str) -> None:
    project = Project(wire.shop_id, TWO_LISTEN, pubsub_host)
    first, second = await project.create(), await project.create()
    await project.close()
    assert [what for what, _ in first] == [what for what, _ in second]
    assert ({made for _, made in first}, {made for _, made in second}) == ({True}, {False})


async def test_a_topic_that_was_deleted_gets_its_subscriptions_anew(wire: Wire, pubsub_host: str) -> None:
    project = Project(wire.shop_id, TWO_LISTEN, pubsub_host)
    await project.create()
    topic = TWO_LISTEN.topic(OrderCancelled.type)
    await project._publisher.delete_topic(topic=project._topic(topic))
    made = [what for what, is_made in await project.create() if is_made]
    await project.close()
    heard = [TWO_LISTEN.subscription(OrderCancelled.type, name).id for name in ("product", "stock")]
    assert made == [f"topic {topic}", *(f"subscription {id_}" for id_ in heard)]


async def test_an_event_is_done_with_when_all_its_listeners_have_said_so(wire: Wire, pubsub_host: str) -> None:
    one, other = (PubSubBus(Project(wire.shop_id, TWO_LISTEN, pubsub_host)) for _ in range(2))
    other.connect(Consumer("product", wire.stock, {OrderCancelled: wire.hear}, BACKOFF))
    async with wire.listening(bus=one):
        await wire.tell(uuid4())
        await eventually_async(wire.applied, 1)
        assert await wire.unheard() == 1
        running = asyncio.create_task(other.run())
        await eventually_async(wire.unheard, 0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await other.close()


async def test_what_a_subscription_has_lost_is_sent_again_by_hand(wire: Wire, pubsub_host: str) -> None:
    order, since = uuid4(), now()
    async with wire.relaying("order", wire.order) as bus:
        await wire.tell(order)
        await eventually_async(wire.unpublished, 0)
        assert isinstance(bus, PubSubBus)
        await _take_all_away(wire, bus, pubsub_host)
    assert await wire.order.write(resend_published, now() + timedelta(minutes=1)) == 0
    assert await wire.order.write(resend_published, since) == 1
    async with wire.listening():
        await eventually_async(wire.applied, 1)
        await eventually_async(wire.unheard, 0, seconds=90)  # the relay that is gone may have a lease of its receipt
    assert wire.heard == [order]


async def test_what_is_in_hand_when_a_listener_stops_is_another_ones_at_once(wire: Wire) -> None:
    order = uuid4()
    stuck = asyncio.Event()

    class Stuck(Consumer):
        async def handle(self, deliveries: object) -> list[timedelta | None]:
            stuck.set()
            await asyncio.Event().wait()
            return []

    bus = wire.bus()
    bus.connect(Stuck("stock", wire.stock, {OrderCancelled: wire.hear}, BACKOFF))
    running = asyncio.create_task(bus.run())
    async with wire.relaying("order", wire.order):
        await wire.tell(order)
        await asyncio.wait_for(stuck.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.close()
    async with wire.listening():
        await eventually_async(wire.applied, 1, seconds=8)
    assert wire.heard == [order]


async def test_an_emulator_that_has_forgotten_all_is_told_again_what_there_is(wire: Wire) -> None:
    port = free_port()
    bus = PubSubBus(Project(wire.shop_id, TWO_LISTEN, f"127.0.0.1:{port}"))
    async with wire.listening(bus=bus):
        for number in (1, 2):
            with pubsub_emulator(port):
                await wire.tell(uuid4())
                await eventually_async(wire.applied, number, seconds=30)


async def _take_all_away(wire: Wire, bus: PubSubBus, host: str) -> None:
    """As `gcloud pubsub subscriptions seek` to now does."""
    names = Names("shop-", {OrderCancelled.type: ["stock"]})
    stranger = Project(wire.shop_id, names, host)
    subscription = names.subscription(OrderCancelled.type, "stock").id
    taken = await stranger.pull(subscription, 100)
    await stranger.acknowledge(subscription, [one.handle for one in taken])
    await stranger.close()
    assert taken

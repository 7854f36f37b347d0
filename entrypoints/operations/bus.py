"""What a shop has on Pub/Sub, for whoever looks after it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy.orm import Session

from ecshop.events.outbox import resend_published
from ecshop.kernel.clock import now
from entrypoints.buses import pubsub_project
from entrypoints.contexts import NAMES
from entrypoints.identity import Identity
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import BadSetting, Settings


def create_on_pubsub(settings: Settings) -> list[tuple[str, bool]]:
    """All topics and subscriptions, and whether each had to be made. Raises `BadSetting` or `Unavailable`."""
    if settings.broker != "pubsub":
        raise BadSetting("only Pub/Sub has topics to make: set ECSHOP_BUS=pubsub and GOOGLE_CLOUD_PROJECT")
    return asyncio.run(_create(settings))


async def _create(settings: Settings) -> list[tuple[str, bool]]:
    project = pubsub_project(settings, "" if settings.pubsub_prefix else Identity(settings).id)
    try:
        return await project.create()
    finally:
        await project.close()


def resend_since(settings: Settings, ago: timedelta) -> dict[str, int]:
    """Have published again what was published since then and is not heard; how many events, by context."""
    since = now() - ago

    def again(session: Session) -> int:
        return resend_published(session, since)

    return {name: beside_the_shop(settings, name, again) for name in NAMES}

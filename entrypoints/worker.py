"""Relays and consumers without the shop's HTTP, for databases that admit several processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from ecshop.events.consumer import Outcome
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.telemetry.troubles import troubles
from entrypoints.buses import workers_bus
from entrypoints.compose import compose
from entrypoints.contexts import NAMES
from entrypoints.identity import Identity
from entrypoints.listening import address_of, listening_socket
from entrypoints.serve import serve_app, uvloop_runner
from entrypoints.settings import BadSetting, Settings
from entrypoints.shop import Shop
from entrypoints.stopping import LAST_STOP, stop_signal
from entrypoints.tracing import tracing

log = structlog.get_logger("shop")

_LOOK_EVERY: Final = 0.2  # seconds

Did = Mapping[str, Mapping[Outcome, int]]
"""How often each listener did what."""


def run_worker(settings: Settings, until_idle: float | None = None) -> Did:
    """Work until SIGINT or SIGTERM, or until there was nothing to do for so many seconds; says what it did.

    Raises `BadSetting` on SQLite, whose one process does this work itself.
    """
    if not all(map(settings.server_of, NAMES)):
        raise BadSetting(
            "a worker shares its databases with servers, and SQLite admits one process: "
            "set ECSHOP_DATABASE_URL to a PostgreSQL, or let the shop do this work itself, as it does"
        )
    with uvloop_runner() as runner:
        return runner.run(_work(settings, until_idle))


async def _work(settings: Settings, until_idle: float | None) -> Did:
    stop = stop_signal(within=LAST_STOP)
    shop = compose(settings, bus=workers_bus(settings, Identity(settings).id), with_events=True)
    with tracing(settings, "worker"):
        async with shop.running(), _telling(settings, shop):
            ends: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
            if until_idle is not None:
                ends.append(asyncio.create_task(_idle(shop, until_idle)))
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
    return {consumer.name: consumer.outcomes for consumer in shop.consumers}


@asynccontextmanager
async def _telling(settings: Settings, shop: Shop) -> AsyncIterator[None]:
    """Its health and metrics, where a port is given for them."""
    if not settings.worker_port:
        yield
        return
    with listening_socket(settings.host, settings.worker_port, option="ECSHOP_WORKER_PORT") as listening:
        done, address = asyncio.Event(), address_of(settings.host, settings.worker_port)
        serving = asyncio.create_task(
            serve_app(shop.app_of_worker(), listening, lambda: log.info("health and metrics", at=address), done)
        )
        try:
            yield
        finally:
            done.set()
            await serving


async def _idle(shop: Shop, seconds: float) -> None:
    """Until no event has come and none was due for so long, while nothing was away."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < seconds:
        await asyncio.sleep(_LOOK_EVERY)
        handled = sum(sum(consumer.outcomes.values()) for consumer in shop.consumers)
        if handled != seen or troubles or await _has_due(shop):
            seen, since = handled, time.monotonic()


async def _has_due(shop: Shop) -> bool:
    try:
        return await shop.has_due()
    except Unavailable:
        return True

"""Some contexts at work in one process: their databases, their events, their background work, their app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from litestar import Litestar
from litestar.types import ASGIApp

from ecshop.events.bus import EventBus
from ecshop.events.consumer import Consumer
from ecshop.events.relay import Relay
from ecshop.kernel.app import create_app
from ecshop.kernel.context import Context
from ecshop.kernel.identity import Verifier
from entrypoints.neighbours import Neighbours

log = structlog.get_logger("shop")

Job = Callable[[], Awaitable[None]]


class Shop:
    def __init__(
        self,
        contexts: Sequence[Context[Any]],
        bus: EventBus,
        verifier: Verifier,
        neighbours: Neighbours,
        *,
        with_internal: bool,
    ) -> None:
        self.contexts, self._bus, self._verifier, self._neighbours = contexts, bus, verifier, neighbours
        self._with_internal = with_internal

    def app(self, *, owns_lifespan: bool = False) -> ASGIApp:
        """The contexts' app; with `owns_lifespan` it starts and stops the shop along with itself."""
        lifespan = [self._lifespan] if owns_lifespan else []
        return create_app(self.contexts, self._verifier, with_internal=self._with_internal, lifespan=lifespan)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open and migrate the databases, relay and consume events; undo all of it in the opposite order.

        Raises `DatabaseInUse`.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._neighbours.close)
            stack.push_async_callback(self._bus.close)
            for context in self.contexts:
                stack.push_async_callback(context.database.close)
                await asyncio.to_thread(context.database.open, context.migrations)
            await stack.enter_async_context(_at_work(self._jobs()))
            yield

    def _jobs(self) -> list[Job]:
        jobs: list[Job] = []
        for context in self.contexts:
            if context.handlers:
                self._bus.connect(Consumer(context.name, context.database, context.handlers))
            jobs += [Relay(context.name, context.database, self._bus).run, *context.background]
        return [self._bus.run, *jobs]

    @asynccontextmanager
    async def _lifespan(self, _: Litestar) -> AsyncIterator[None]:
        async with self.running():
            yield


@asynccontextmanager
async def _at_work(jobs: Sequence[Job]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_again_and_again(job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _again_and_again(job: Job) -> None:
    """A job ends by being cancelled, or because it has nothing to do; one that fails begins again."""
    while True:
        try:
            return await job()
        except Exception:
            log.exception("background work failed and begins again", job=getattr(job, "__qualname__", str(job)))
            await asyncio.sleep(1)

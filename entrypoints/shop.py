"""Some contexts at work in one process: their databases, their events, their background work, their app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from litestar.types import ASGIApp, ControllerRouterHandler

from ecshop.auth.contract import AuthClient
from ecshop.context import Context
from ecshop.events.buses.base import EventBus
from ecshop.events.consumer import Consumer
from ecshop.events.faults import Faults
from ecshop.events.outbox import count_due
from ecshop.events.purge import Purge
from ecshop.events.relay import Relay
from ecshop.kernel.db.database import Database
from ecshop.kernel.http.app import create_app
from ecshop.kernel.http.health import OK
from ecshop.kernel.telemetry.troubles import troubles
from ecshop.kernel.tokens import Verifier
from ecshop.order.contract import OrderClient
from ecshop.oversight.contract import OversightClient
from ecshop.oversight.http import routes_of
from ecshop.oversight.service import OversightService
from ecshop.product.contract import StaffProductClient
from ecshop.stock.contract import StaffStockClient
from entrypoints.contexts import CONTEXTS
from entrypoints.measuring import Measuring
from entrypoints.neighbours import Neighbours

log = structlog.get_logger("shop")

Job = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Clients:
    """The door of each context, whether it is in this process or elsewhere."""

    auth: AuthClient
    product: StaffProductClient
    stock: StaffStockClient
    order: OrderClient
    oversight: Mapping[str, OversightClient]
    """By the name of the context; of those that pages are made of."""


class Shop:
    def __init__(
        self,
        contexts: Sequence[Context[Any]],
        clients: Clients,
        bus: EventBus,
        verifier: Verifier,
        neighbours: Neighbours,
        admit: Callable[[Mapping[str, Database]], Awaitable[None]],
        *,
        request_seconds: float,
        max_requests: int,
        retention: timedelta,
        with_internal: bool,
        with_events: bool,
        with_docs: bool = True,
        pages: Sequence[ControllerRouterHandler] = (),
        stopping: asyncio.Event | None = None,
        push: tuple[ControllerRouterHandler, Job] | None = None,
        faults: Mapping[str, Faults] | None = None,
    ) -> None:
        """Without events, a worker relays, consumes and purges them instead.

        With `pages` there is a shop at `/`, else that leads to the docs; they hear when the process is `stopping`.

        `push` is where a broker brings events by itself, and what keeps it going; `faults`, by context, are what goes
        wrong on purpose.
        """
        self.contexts, self.clients = contexts, clients
        self._bus, self._verifier, self._neighbours = bus, verifier, neighbours
        self._admit = admit
        self._retention = retention
        self._request_seconds, self._max_requests = request_seconds, max_requests
        self._with_internal, self._with_events, self._with_docs = with_internal, with_events, with_docs
        self._faults = faults or {}
        self.consumers = [
            Consumer(context.name, context.database, context.subscriptions, faults=self._faults.get(context.name))
            for context in contexts
            if context.subscriptions
        ]
        self._push, self._pages = push, pages
        self.stopping = stopping or asyncio.Event()
        self._relays = [Relay(context.name, context.database, bus) for context in contexts]
        self._measuring = Measuring(contexts, self.consumers, self._relays, verifier, neighbours)
        for consumer in self.consumers:
            bus.connect(consumer)

    def app(self) -> ASGIApp:
        """What serves the contexts while the shop is `running`."""
        routes = [route for context in self.contexts for route in context.public]
        for context in self.contexts:
            routes += routes_of(OversightService(context.name, context.database, self._faults.get(context.name)))
        routes += self._pages
        if self._with_internal:
            routes += [route for context in self.contexts for route in context.internal]
        if self._push:
            routes.append(self._push[0])
        names = [context.name for context in self.contexts]
        return self._served(routes, f"ecshop: {names[0]}" if len(names) == 1 else "ecshop", names)

    def app_of_worker(self) -> ASGIApp:
        """Health and metrics alone."""
        return self._served([], "ecshop: worker", [])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open and migrate the databases, relay and consume events; undo all of it in the opposite order.

        Raises `FileInUse`, `FileUnusable`, `LogLost`, `DatabaseUnusable`, `DatabaseLost` or `DatabaseForeign`.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._neighbours.close)
            stack.push_async_callback(self._bus.close)
            stack.push_async_callback(self._close_databases)
            for context in self.contexts:
                await asyncio.to_thread(context.database.open, context.migrations)
            await self._admit({context.name: context.database for context in self.contexts})
            await stack.enter_async_context(_at_work(self._jobs()))
            yield

    async def has_due(self) -> bool:
        """Whether any event waits for being relayed. Raises `Aborted`."""
        return any([await context.database.read(count_due) for context in self.contexts])

    async def _report(self) -> dict[str, str]:
        """Relays and neighbours always, other background work when it waits for something."""
        relays = {f"the relay of {context.name}": OK for context in self.contexts if self._with_events}
        return {**relays, **await self._neighbours.report(), **troubles}

    def _served(self, routes: Sequence[ControllerRouterHandler], title: str, names: Sequence[str]) -> ASGIApp:
        return create_app(
            routes,
            {f"{context.name} database": context.probe for context in self.contexts},
            self._report,
            self._measuring.written,
            self._verifier,
            title=title,
            tags={entry.name: entry.about for entry in CONTEXTS if entry.name in names},
            request_seconds=self._request_seconds,
            max_requests=self._max_requests,
            with_services=self._with_internal,
            with_docs=self._with_docs,
            with_front=not self._pages,
            observe=self._measuring.metrics.request,
        )

    async def _close_databases(self) -> None:
        await asyncio.gather(*(context.database.close() for context in self.contexts))

    def _jobs(self) -> list[Job]:
        own = [job for context in self.contexts for job in context.background]
        push = [self._push[1]] if self._push else []
        events = self._event_jobs() if self._with_events else []
        return [self._verifier.watch, *self._neighbours.jobs, *own, *push, *events]

    def _event_jobs(self) -> list[Job]:
        purges = [Purge(context.name, context.database, self._retention).run for context in self.contexts]
        return [self._bus.run, *(relay.run for relay in self._relays), *purges]


@asynccontextmanager
async def _at_work(jobs: Sequence[Job]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(_supervise(job)) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _supervise(job: Job) -> None:
    """A job ends by being cancelled, or because it has nothing to do; one that fails begins again."""
    while True:
        try:
            return await job()
        except Exception:
            log.exception("background work failed and begins again", job=getattr(job, "__qualname__", str(job)))
            await asyncio.sleep(1)

"""Each client as its callers meet it: the service itself, or its HTTP client against a real server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import msgspec
import pytest
import uvicorn

from ecshop.auth.keys import SigningKey
from ecshop.auth.service import AuthService
from ecshop.events.buses.base import EventBus, Published
from ecshop.events.buses.memory import MemoryBus
from ecshop.events.buses.pubsub import PubSubBus
from ecshop.events.buses.pubsub_names import Names
from ecshop.events.buses.pubsub_project import Project
from ecshop.events.buses.redis import RedisBus
from ecshop.events.catalog import OrderCancelled
from ecshop.events.consumer import Consumer
from ecshop.events.outbox import Outgoing, Receipt, Taken
from ecshop.kernel.identity import Actor, Role
from ecshop.order.module import MIGRATIONS as TELLING
from ecshop.product.contract import NewProduct
from ecshop.product.service import ProductService
from ecshop.stock.contract import NewStock
from ecshop.stock.module import MIGRATIONS as LISTENING
from ecshop.stock.service import StockService
from entrypoints.compose import compose
from entrypoints.contexts import NAMES
from entrypoints.listening import listening_socket
from entrypoints.settings import Settings
from entrypoints.shop import Clients, Shop
from entrypoints.signing_keys import key_of
from tests.actors import STAFF
from tests.contract.wires import Wire, shop_id_in
from tests.databases import Databases, databases_on, for_a_shop

NAMES_OF_WIRE = Names("shop-", {OrderCancelled.type: ["stock"]})
SECRET = "orders-secret-for-the-contract-tests"


class Doors:
    """The clients, and the services and databases behind them to arrange a test with."""

    def __init__(self, clients: Clients, shops: Mapping[str, Shop], key: SigningKey) -> None:
        self.auth, self.product = clients.auth, clients.product
        self.stock, self.order = clients.stock, clients.order
        self.accounts = cast(AuthService, shops["auth"].clients.auth)
        self.catalogue = cast(ProductService, shops["product"].clients.product)
        self.store = cast(StockService, shops["stock"].clients.stock)
        self.oversight = clients.oversight
        self.databases = {one.name: one.database for shop in shops.values() for one in shop.contexts}
        self.key = key

    def actor(self, role: Role = Role.CUSTOMER) -> Actor:
        user_id = uuid4()
        return Actor(user_id, role, self.key.token_for_user(user_id, role, 900))

    async def stocked(self, units: int, **fields: Any) -> int:
        """A new product with so many units on hand."""
        product = await self.catalogue.create(STAFF, NewProduct("Green tea", 1200, **fields))
        await self.store.register(self.actor(Role.STAFF), NewStock(product.id, units))
        return product.id


class Forgetful:
    """A bus that takes every event and delivers none: what a contract promises must not need one."""

    async def publish(self, outbox: str, events: Sequence[Outgoing]) -> Published:
        return Published(heard=[event.seq for event in events])

    async def receipts(self, outbox: str) -> Sequence[Receipt]:
        return ()

    async def forget(self, outbox: str, receipts: Sequence[Receipt]) -> None:
        pass

    async def lost(self, outbox: str, taken: Sequence[Taken]) -> Sequence[int]:
        return ()

    def connect(self, consumer: Consumer) -> None:
        pass

    async def run(self) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
async def _one_event_loop() -> AsyncIterator[None]:
    """Whatever is asynchronous here keeps this one: gRPC's poller would call back into loops that have ended."""
    yield  # noqa: PT022 - it is held open until the last test


@pytest.fixture(scope="module", params=["local", "http"])
async def doors(
    request: pytest.FixtureRequest, dbms: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Doors]:
    """They serve all tests of a file: each makes products and buyers of its own."""
    folder = tmp_path_factory.mktemp("doors")
    async with AsyncExitStack() as stack:
        databases = stack.enter_context(databases_on(dbms, folder, request))
        settings = Settings(
            data_dir=str(folder),
            database_url=for_a_shop(databases, migrated=True),
            synchronous="NORMAL",
            client_secret=SECRET,
            client_secrets=f"order:{SECRET}",
            hourly_orders=0,
            hourly_units=0,
            line_units=0,
        )
        yield await (_together(stack, settings) if request.param == "local" else _apart(stack, settings))


async def _together(stack: AsyncExitStack, settings: Settings) -> Doors:
    shop = compose(settings, bus=Forgetful())
    await stack.enter_async_context(shop.running())
    return Doors(shop.clients, dict.fromkeys(NAMES, shop), key_of(settings))


async def _apart(stack: AsyncExitStack, settings: Settings) -> Doors:
    """Each context behind HTTP; the clients are order's own ones of the others, and the pages' ones of the rest."""
    sockets = {name: stack.enter_context(listening_socket("127.0.0.1", 0)) for name in NAMES}
    urls = {name: f"http://127.0.0.1:{listening.getsockname()[1]}" for name, listening in sockets.items()}
    settings = msgspec.structs.replace(settings, urls=urls)
    shops = {name: compose(settings, frozenset({name}), bus=Forgetful()) for name in NAMES}
    for name, shop in shops.items():
        await stack.enter_async_context(shop.running())
        await stack.enter_async_context(_served(shop.app(), sockets[name]))
    web = compose(settings, frozenset({"web"}))
    await stack.enter_async_context(web.running())
    clients = replace(shops["order"].clients, order=web.clients.order, oversight=web.clients.oversight)
    return Doors(clients, shops, key_of(settings))


@asynccontextmanager
async def _served(app: Any, listening: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listening])
    serving = asyncio.create_task(server.main_loop())
    yield
    server.should_exit = True
    await serving
    await server.shutdown(sockets=[listening])


@pytest.fixture(params=["memory", "redis", "pubsub"])
async def wire(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> AsyncIterator[Wire]:
    def over_redis() -> EventBus:
        url = request.getfixturevalue("redis_url")
        return RedisBus(url, {"order": ["stock"]}, shop_id=shop_id_in(tmp_path))

    def over_pubsub() -> EventBus:
        project = Project(shop_id_in(tmp_path), NAMES_OF_WIRE, request.getfixturevalue("pubsub_host"))
        return PubSubBus(project)

    urls = databases.url("order", TELLING), databases.url("stock", LISTENING)
    wire = Wire(
        *urls, shop_id_in(tmp_path), {"memory": MemoryBus, "redis": over_redis, "pubsub": over_pubsub}[request.param]
    )
    async with AsyncExitStack() as stack:
        for database, versions in ((wire.order, TELLING), (wire.stock, LISTENING)):
            stack.push_async_callback(database.close)
            database.open(versions)
        yield wire

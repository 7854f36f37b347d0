"""Each client as its callers meet it: the service itself, or its HTTP client against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import uvicorn

from ecshop.auth import module as auth_module
from ecshop.auth.contract import AuthClient
from ecshop.auth.http import HttpAuthClient
from ecshop.auth.keys import SigningKey, signing_key_in
from ecshop.auth.service import AuthService
from ecshop.kernel.app import create_app
from ecshop.kernel.context import Context
from ecshop.kernel.database import Database
from ecshop.kernel.identity import Actor, Role, Verifier
from ecshop.order import module as order_module
from ecshop.order.contract import OrderClient
from ecshop.order.http import HttpOrderClient
from ecshop.product import module as product_module
from ecshop.product.contract import NewProduct, ProductClient
from ecshop.product.http import HttpProductClient
from ecshop.product.service import ProductService
from ecshop.stock import module as stock_module
from ecshop.stock.contract import NewStock, StockClient
from ecshop.stock.http import HttpStockClient
from ecshop.stock.service import StockService
from entrypoints.compose import GRANTS
from entrypoints.neighbours import Neighbours, ServiceToken
from entrypoints.serve import listening_socket

SECRET = "order's secret"


@dataclass
class Doors:
    """The four clients, and the services behind them to arrange a test with."""

    auth: AuthClient
    product: ProductClient
    stock: StockClient
    order: OrderClient
    accounts: AuthService
    catalogue: ProductService
    store: StockService
    stock_database: Database
    key: SigningKey

    def actor(self, role: Role = Role.CUSTOMER) -> Actor:
        user_id = uuid4()
        return Actor(user_id, role, self.key.token_for_user(user_id, role, 900))

    async def stocked(self, units: int, **fields: Any) -> int:
        """A new product with so many units on hand."""
        product = await self.catalogue.create(NewProduct(**{"name": "Green tea", "price": 1200} | fields))
        await self.store.register(NewStock(product.id, units))
        return product.id


@pytest.fixture(params=["local", "http"])
async def doors(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Doors]:
    async with AsyncExitStack() as stack:
        house = _House(stack, tmp_path)
        yield await (house.local() if request.param == "local" else house.over_http())


class _House:
    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self._stack, self._folder = stack, folder
        self._key = signing_key_in(folder)
        self._neighbours = Neighbours()
        self._auth = auth_module.build(
            self._database("auth"), self._key, token_seconds=900, secrets={"order": SECRET}, grants=GRANTS
        )
        self._product = product_module.build(self._database("product"))

    async def local(self) -> Doors:
        stock = stock_module.build(self._database("stock"), self._product.client, reservation_seconds=60)
        order = order_module.build(self._database("order"), self._product.client, stock.client)
        for context in (self._auth, self._product, stock, order):
            await self._open(context)
        return self._doors(self._auth.client, self._product.client, stock.client, order.client, stock)

    async def over_http(self) -> Doors:
        self._stack.push_async_callback(self._neighbours.close)
        auth = HttpAuthClient(self._neighbours.remote(await self._serve(self._auth)))
        product = HttpProductClient(self._remote(auth, "product", await self._serve(self._product)))
        stock_context = stock_module.build(self._database("stock"), product, reservation_seconds=60)
        stock = HttpStockClient(self._remote(auth, "stock", await self._serve(stock_context)))
        order_context = order_module.build(self._database("order"), product, stock)
        order = HttpOrderClient(self._neighbours.remote(await self._serve(order_context)))
        return self._doors(auth, product, stock, order, stock_context)

    def _doors(
        self,
        auth: AuthClient,
        product: ProductClient,
        stock: StockClient,
        order: OrderClient,
        store: Context[StockClient],
    ) -> Doors:
        return Doors(
            auth,
            product,
            stock,
            order,
            accounts=cast(AuthService, self._auth.client),
            catalogue=cast(ProductService, self._product.client),
            store=cast(StockService, store.client),
            stock_database=store.database,
            key=self._key,
        )

    def _remote(self, auth: AuthClient, callee: str, url: str) -> Any:
        return self._neighbours.remote(url, ServiceToken(auth, "order", SECRET, callee, GRANTS["order"][callee]))

    def _database(self, name: str) -> Database:
        return Database(f"sqlite:///{self._folder / name}.db", synchronous="NORMAL")

    async def _open(self, context: Context[Any]) -> None:
        self._stack.push_async_callback(context.database.close)
        context.database.open(context.migrations)

    async def _serve(self, context: Context[Any]) -> str:
        await self._open(context)
        app = create_app([context], Verifier(self._auth.client.jwks, [context.name]), with_internal=True)
        return await self._stack.enter_async_context(_served(app))


@asynccontextmanager
async def _served(app: Any) -> AsyncIterator[str]:
    with listening_socket("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[listening])
        serving = asyncio.create_task(server.main_loop())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving
        await server.shutdown(sockets=[listening])

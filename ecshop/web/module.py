"""How the pages are put together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, Router, get
from litestar.di import Provide
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from ecshop.auth.contract import AuthClient
from ecshop.kernel.errors import EcshopError, NoSuchPath
from ecshop.kernel.tokens import Verifier
from ecshop.order.contract import OrderClient
from ecshop.oversight.contract import OversightClient
from ecshop.product.contract import StaffProductClient
from ecshop.stock.contract import StaffStockClient
from ecshop.web.account_pages import AccountPages
from ecshop.web.basket_pages import BasketPages
from ecshop.web.catalogue import CataloguePages
from ecshop.web.console.categories import ConsoleCategories
from ecshop.web.console.dead_letters import ConsoleDeadLetters
from ecshop.web.console.events import ConsoleEvents
from ecshop.web.console.faults import ConsoleFaults
from ecshop.web.console.find import ConsoleFind
from ecshop.web.console.history import LastHour, Observed
from ecshop.web.console.keys import ConsoleKeys
from ecshop.web.console.moving import Board
from ecshop.web.console.orders import ConsoleOrders
from ecshop.web.console.overview import ConsoleOverview
from ecshop.web.console.people import ConsolePeople
from ecshop.web.console.product_list import ConsoleProductList
from ecshop.web.console.products import ConsoleProducts
from ecshop.web.console.stock import ConsoleStock
from ecshop.web.console.stock_files import ConsoleStockFiles
from ecshop.web.failures import Failures
from ecshop.web.live import Streams
from ecshop.web.order_pages import OrderPages
from ecshop.web.pages import Pages
from ecshop.web.site import Site
from ecshop.web.static import Static
from ecshop.web.visitor import SignInNeeded
from ecshop.web.watch import Watch
from ecshop.web.words import all_words

CONSOLE = (
    ConsoleOverview,
    ConsoleFind,
    ConsoleOrders,
    ConsoleEvents,
    ConsoleDeadLetters,
    ConsoleStock,
    ConsoleStockFiles,
    ConsoleProductList,
    ConsoleProducts,
    ConsoleCategories,
    ConsolePeople,
    ConsoleKeys,
)
AnyRequest = Request[Any, Any, Any]


def build(
    auth: AuthClient,
    product: StaffProductClient,
    stock: StaffStockClient,
    order: OrderClient,
    oversight: Mapping[str, OversightClient],
    verifier: Verifier,
    stopping: asyncio.Event,
    *,
    is_breakable: bool = False,
) -> list[ControllerRouterHandler]:
    """The routes of all pages, and of the files that they load. Pages that move stand still when it is `stopping`.

    Where the shop `is_breakable`, a page lets things go wrong on purpose.
    """
    static, board = Static(), Board(stopping)
    hour, observed = LastHour(order, oversight), Observed()
    watch = Watch(order, stock, verifier, stopping)
    site = Site(auth, product, stock, order, oversight, verifier, Pages(static, is_breakable=is_breakable), all_words())
    streams = Streams(site.pages.written)
    failures = Failures(site, streams)

    console = (*CONSOLE, ConsoleFaults) if is_breakable else CONSOLE

    @get("/static/{name:path}", include_in_schema=False)
    async def file(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        return static.answer(name.removeprefix("/"), request.scope)

    @get("/shop/{rest:path}", include_in_schema=False)
    async def nothing(rest: FromPath[str]) -> Response[bytes]:
        raise NoSuchPath(f"nothing is at /shop{rest}")

    def failed(request: AnyRequest, error: EcshopError) -> Response[bytes]:
        return failures.say(request, error)

    def sign_in_first(request: AnyRequest, _: SignInNeeded) -> Response[Any]:
        return failures.sign_in_first(request)

    return [
        Router(
            "/",
            route_handlers=[CataloguePages, BasketPages, OrderPages, AccountPages, *console, file, nothing],
            dependencies={
                "site": Provide(lambda: site, sync_to_thread=False),
                "streams": Provide(lambda: streams, sync_to_thread=False),
                "watch": Provide(lambda: watch, sync_to_thread=False),
                "hour": Provide(lambda: hour, sync_to_thread=False),
                "observed": Provide(lambda: observed, sync_to_thread=False),
                "board": Provide(lambda: board, sync_to_thread=False),
            },
            exception_handlers={EcshopError: failed, SignInNeeded: sign_in_first},
        )
    ]

"""How the pages are put together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Request, Response, Router, get
from litestar.di import Provide
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from ecshop.auth.contract import AuthClient
from ecshop.kernel.errors import Aborted, EcshopError, NoSuchPath, Unavailable
from ecshop.kernel.http.headers import header
from ecshop.kernel.telemetry.logs import annotate, request_id
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
from ecshop.web.live import Streams
from ecshop.web.order_pages import OrderPages
from ecshop.web.pages import Pages
from ecshop.web.refusals import said
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

    console = (*CONSOLE, ConsoleFaults) if is_breakable else CONSOLE

    @get("/static/{name:path}", include_in_schema=False)
    async def file(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
        return static.answer(name.removeprefix("/"), request.scope)

    @get("/shop/{rest:path}", include_in_schema=False)
    async def nothing(rest: FromPath[str]) -> Response[bytes]:
        raise NoSuchPath(f"nothing is at /shop{rest}")

    def failed(request: AnyRequest, error: EcshopError) -> Response[bytes]:
        return _stands_still(site, streams, request, error) if _is_to_move(request) else _failed(site, request, error)

    def sign_in_first(request: AnyRequest, _: SignInNeeded) -> Response[Any]:
        return _sign_in_first(site, streams, request)

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


def _failed(site: Site, request: AnyRequest, error: EcshopError) -> Response[bytes]:
    annotate(code=error.code)
    visitor = site.anybody(request)
    _ = visitor.words
    if error.status == HTTPStatus.NOT_FOUND:
        heading, says = _("Not found"), _("Nothing is here, or no longer.")
    elif isinstance(error, Aborted):
        heading, says = _("The shop does not answer right now"), _("Nothing was changed. Try again in a moment.")
    elif isinstance(error, Unavailable):
        heading = _("The shop does not answer right now")
        says = _("Whether it was done is not known. Look at your orders before you try again.")
    else:
        heading, says = _("That did not work"), said(error, _)
    return site.pages.answer(
        visitor, "message.html", status=error.status, here="", heading=heading, says=says, request_id=request_id.get()
    )


def _is_to_move(request: AnyRequest) -> bool:
    """By its route: what a stream is asked for with, forms of the same page are sent with, too."""
    return request.scope["path_template"].endswith("/live")


def _page_that_moves(request: AnyRequest) -> str:
    return str(request.scope["path"]).removesuffix("/live")


def _stands_still(site: Site, streams: Streams, request: AnyRequest, error: EcshopError) -> Response[bytes]:
    """What the page shows stays."""
    annotate(code=error.code)
    visitor, place = site.anybody(request), _page_that_moves(request)
    _ = visitor.words
    return streams.refuse(visitor, error.status, _("This page does not move right now."), place, _("Load again"))


def _sign_in_first(site: Site, streams: Streams, request: AnyRequest) -> Response[Any]:
    """And come back: to the page itself, or to the one that has the form."""
    visitor = site.anybody(request)
    if _is_to_move(request):
        _, link = visitor.words, f"/shop/sign-in?{urlencode({'next': _page_that_moves(request)})}"
        return streams.refuse(visitor, HTTPStatus.OK, _("You were signed out."), link, _("Sign in"))
    place = visitor.place if request.method == "GET" else _sent_from(request)
    return site.pages.lead(visitor, f"/shop/sign-in?{urlencode({'next': place})}")


def _sent_from(request: AnyRequest) -> str:
    """The page that a form was on, else the basket."""
    sent = urlsplit(header(request.scope, b"referer") or "")
    if sent.netloc != header(request.scope, b"host") or not sent.path.startswith(("/shop/", "/console")):
        return "/shop/basket"
    return f"{sent.path}?{sent.query}" if sent.query else sent.path

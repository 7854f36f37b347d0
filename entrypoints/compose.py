"""The composition root: the one file that knows every context and where each one runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import ecshop.auth.module as auth_module
import ecshop.order.module as order_module
import ecshop.product.module as product_module
import ecshop.stock.module as stock_module
from ecshop.auth.contract import AuthClient
from ecshop.auth.http import HttpAuthClient
from ecshop.auth.keys import signing_key_in
from ecshop.events.bus import EventBus, MemoryBus
from ecshop.events.catalog import Event, source_of
from ecshop.kernel.context import Context, Handler
from ecshop.kernel.database import Database
from ecshop.kernel.identity import Verifier
from ecshop.kernel.remote import Credentials, Remote
from ecshop.kernel.settings import BadSetting, Settings
from ecshop.order.http import HttpOrderClient
from ecshop.product.contract import ProductClient
from ecshop.product.http import QUOTE, HttpProductClient
from ecshop.stock.contract import StockClient
from ecshop.stock.http import RESERVE, HttpStockClient
from entrypoints.neighbours import Neighbours, ServiceToken
from entrypoints.shop import Shop

C = TypeVar("C")

CONTEXTS: Final = ("auth", "product", "stock", "order")
ALL: Final = frozenset(CONTEXTS)

GRANTS: Final = {"order": {"product": frozenset({QUOTE}), "stock": frozenset({RESERVE})}}
"""Which service may call which, and what for."""

_HANDLERS: Final[Mapping[str, Mapping[type[Event], Handler]]] = {
    "product": product_module.HANDLERS,
    "stock": stock_module.HANDLERS,
    "order": order_module.HANDLERS,
}


def compose(settings: Settings, here: frozenset[str] = ALL) -> Shop:
    """Place the contexts named in `here` in this process; the others are reached over HTTP. Raises `BadSetting`."""
    contexts: list[Context[Any]] = []
    neighbours = Neighbours()

    def db(name: str) -> Database:
        return Database(settings.database_of(name), synchronous=settings.synchronous)

    def place(name: str, build: Callable[[], Context[C]], client: Callable[[Remote], C]) -> C:
        if name not in here:
            return client(neighbours.remote(settings.url_of(name), credentials(name)))
        context = build()
        contexts.append(context)
        return context.client

    def credentials(callee: str) -> Credentials | None:
        for caller, callees in GRANTS.items():
            if caller in here and callee in callees:
                return ServiceToken(auth, caller, _secret(settings, caller), callee, callees[callee])
        return None

    auth: AuthClient = place(
        "auth",
        lambda: auth_module.build(
            db("auth"),
            signing_key_in(Path(settings.data_dir)),
            token_seconds=settings.token_seconds,
            secrets=settings.secrets(),
            grants=GRANTS,
        ),
        HttpAuthClient,
    )
    product: ProductClient = place("product", lambda: product_module.build(db("product")), HttpProductClient)
    stock: StockClient = place(
        "stock",
        lambda: stock_module.build(db("stock"), product, reservation_seconds=settings.reservation_seconds),
        HttpStockClient,
    )
    place("order", lambda: order_module.build(db("order"), product, stock), HttpOrderClient)
    return Shop(
        contexts,
        _bus(settings, here),
        Verifier(auth.jwks, callees=here),
        neighbours,
        with_internal=here != ALL,
    )


def listeners() -> dict[str, list[str]]:
    """Who listens to whom: {"order": ["stock"], ...}."""
    told: dict[str, set[str]] = {}
    for listener, handlers in _HANDLERS.items():
        for event in handlers:
            told.setdefault(source_of(event.type), set()).add(listener)
    return {source: sorted(names) for source, names in sorted(told.items())}


def _bus(settings: Settings, here: frozenset[str]) -> EventBus:
    if here == ALL:
        return MemoryBus()
    if not settings.redis_url:
        raise BadSetting("a service of its own needs a Redis for its events: set REDIS_URL=redis://host:6379/0")
    from ecshop.events.redis_bus import RedisBus  # noqa: PLC0415 - the one-process shop starts faster without it

    return RedisBus(settings.redis_url, listeners())


def _secret(settings: Settings, caller: str) -> str:
    if not settings.client_secret:
        raise BadSetting(f"{caller} proves itself to auth with a secret: set ECSHOP_CLIENT_SECRET")
    return settings.client_secret

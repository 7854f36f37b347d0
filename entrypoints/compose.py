"""The composition root: the one file that knows every context and where each one runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from litestar.types import ControllerRouterHandler

from ecshop.auth import module as auth_module
from ecshop.auth.clients import Clients as Services
from ecshop.auth.contract import AuthClient
from ecshop.auth.http import HttpAuthClient
from ecshop.auth.sessions import Lifetime
from ecshop.context import Context
from ecshop.events.buses.base import EventBus
from ecshop.events.buses.memory import MemoryBus
from ecshop.events.faults import Faults
from ecshop.kernel.clock import Clock, now
from ecshop.kernel.db.database import Database
from ecshop.kernel.tokens import Verifier
from ecshop.order import module as order_module
from ecshop.order.contract import OrderClient
from ecshop.order.http import HttpOrderClient
from ecshop.order.quotas import Bounds
from ecshop.oversight.contract import OversightClient
from ecshop.oversight.http import HttpOversightClient
from ecshop.oversight.service import OversightService
from ecshop.product import module as product_module
from ecshop.product.contract import StaffProductClient
from ecshop.product.http import HttpProductClient
from ecshop.stock import module as stock_module
from ecshop.stock.contract import StaffStockClient
from ecshop.stock.http import HttpStockClient
from entrypoints.buses import bus_of, own_broker, push_of
from entrypoints.client_proofs import Reread, public_keys_of, secrets_of
from entrypoints.contexts import ALL, NAMES, WEB
from entrypoints.databases import database_of
from entrypoints.grants import GRANTS, KEY_SCOPES
from entrypoints.identity import Identity
from entrypoints.neighbours import Neighbours
from entrypoints.private_files import close_to_others
from entrypoints.settings import Settings
from entrypoints.shop import Clients, Shop
from entrypoints.signing_keys import key_in_use

C = TypeVar("C")


def compose(
    settings: Settings,
    here: frozenset[str] = ALL,
    *,
    databases: Mapping[str, Database] | None = None,
    bus: EventBus | None = None,
    clock: Clock = now,
    auth: AuthClient | None = None,
    product: StaffProductClient | None = None,
    stock: StaffStockClient | None = None,
    order: OrderClient | None = None,
    with_events: bool | None = None,
) -> Shop:
    """Place the contexts named in `here`, and the pages of `web`, in this process; the others are reached over HTTP.

    What is given stands in for what the settings would make, a client for the one over HTTP. Raises `BadSetting`,
    `FileUnusable`, `SigningKeyUnusable`, `RedisUnusable` or `PubSubUnusable`.
    """
    close_to_others(settings, here)
    contexts = here & {*NAMES}
    databases = {name: database_of(settings, name) for name in contexts - {*(databases or {})}} | {**(databases or {})}
    identity, neighbours = Identity(settings), Neighbours(settings, here)
    placed: list[Context[Any]] = []

    if "auth" in here:
        auth = _place(
            placed,
            auth_module.build(
                databases["auth"],
                key_in_use(settings, databases["auth"]),
                token_seconds=settings.token_seconds,
                lifetime=Lifetime(timedelta(days=settings.session_days), timedelta(days=settings.session_idle_days)),
                free_guesses=settings.free_guesses,
                clients=Services(Reread(partial(secrets_of, settings)), Reread(partial(public_keys_of, settings))),
                grants=GRANTS,
                key_scopes=KEY_SCOPES,
                clock=clock,
            ),
        )
    elif auth is None:
        auth = HttpAuthClient(neighbours.remote("auth"))

    if "product" in here:
        product = _place(placed, product_module.build(databases["product"]))
    elif product is None:
        product = HttpProductClient(neighbours.remote("product", auth))

    if "stock" in here:
        built = stock_module.build(
            databases["stock"],
            product,
            reservation_seconds=settings.reservation_seconds,
            public_numbers=settings.public_stock,
            clock=clock,
        )
        stock = _place(placed, built)
    elif stock is None:
        stock = HttpStockClient(neighbours.remote("stock", auth))

    if "order" in here:
        placing = order_module.build(
            databases["order"],
            product,
            stock,
            quote_seconds=settings.quote_seconds,
            bounds=Bounds(settings.hourly_orders, settings.hourly_units, settings.line_units),
            clock=clock,
        )
        order = _place(placed, placing)
    elif order is None:
        order = HttpOrderClient(neighbours.remote("order", auth))

    is_breakable, can_die = settings.profile == "development", not here.issuperset(NAMES)
    faults = {
        one.name: Faults(can_die=True, broker=partial(own_broker, settings)) if can_die else Faults(can_die=False)
        for one in placed
        if is_breakable
    }
    overseen = _overseen(placed, neighbours, faults) if WEB.name in here else {}
    bus = bus or (bus_of(settings, here, identity.id) if contexts else MemoryBus())
    clients, stopping = Clients(auth, product, stock, order, overseen), asyncio.Event()
    verifier = Verifier(auth.jwks, callees=here, ended=auth.ended_sessions, exchange=auth.exchange_key)
    return Shop(
        placed,
        clients,
        bus,
        verifier,
        neighbours,
        identity.admit,
        request_seconds=settings.request_seconds,
        max_requests=settings.max_requests,
        retention=timedelta(hours=settings.retention_hours),
        with_internal=not here.issuperset(NAMES),
        faults=faults,
        with_events=with_events if with_events is not None else settings.background == "on",
        with_docs=settings.has_docs,
        pages=_pages(clients, verifier, stopping, is_breakable=is_breakable) if WEB.name in here else (),
        stopping=stopping,
        push=push_of(settings, bus) if settings.push_audience else None,
    )


def _place(placed: list[Context[Any]], context: Context[C]) -> C:
    placed.append(context)
    return context.client


def _overseen(
    placed: Sequence[Context[Any]], neighbours: Neighbours, faults: Mapping[str, Faults]
) -> dict[str, OversightClient]:
    near = {one.name: OversightService(one.name, one.database, faults.get(one.name)) for one in placed}
    return {name: near.get(name) or HttpOversightClient(name, neighbours.remote(name)) for name in NAMES}


def _pages(
    clients: Clients, verifier: Verifier, stopping: asyncio.Event, *, is_breakable: bool
) -> Sequence[ControllerRouterHandler]:
    from ecshop.web.module import build  # noqa: PLC0415 - a service of its own starts faster without it

    return build(
        clients.auth,
        clients.product,
        clients.stock,
        clients.order,
        clients.oversight,
        verifier,
        stopping,
        is_breakable=is_breakable,
    )

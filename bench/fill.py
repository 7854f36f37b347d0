"""A shop with a past: as many products and orders as are asked for, all made by the shop's own services.

It runs in this process and without waiting for the disk, but otherwise as ever: reservations, outboxes, inboxes and the
ledger are as the shop itself leaves them. Orders begin and end over the last hours, by a clock that goes through them;
what else the databases note is of the time at which they were filled.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from unittest.mock import patch
from uuid import UUID, uuid5

import msgspec
import structlog
from sqlalchemy.orm import Session

from bench.goods import CATEGORIES, Good, goods, is_sold_out
from bench.progress import Progress
from bench.sizes import bytes_by_table, bytes_on_disk
from ecshop.events.outbox import count_due
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from ecshop.kernel.identity import Actor, Role
from ecshop.order import records
from ecshop.order.contract import DEFAULT_CANCELLATION, NewOrder, WantedLine
from ecshop.order.service import OrderService
from ecshop.product import catalogue
from ecshop.product.contract import CategoryBody, NewProduct
from ecshop.product.service import ProductService
from ecshop.stock import items
from ecshop.stock.contract import NewStock
from ecshop.stock.service import StockService
from entrypoints.compose import compose
from entrypoints.contexts import NAMES
from entrypoints.databases import url_of
from entrypoints.serve import uvloop_runner
from entrypoints.settings import Settings

T = TypeVar("T")

USERS: Final = 20_000
UNITS: Final = 10**9
"""Of each product that is not sold out."""
RECORD: Final = "filled.json"
_PERIOD: Final = timedelta(hours=60)
_LATER: Final = timedelta(hours=2)
"""That much after the first order is placed, the first one ends."""
_AT_ONCE: Final = 256
_A_TRANSACTION: Final = 250
_CANCELLED, _STILL_CONFIRMED = 0.04, 0.08
"""Shares of the orders: of all, and of the youngest; the others are fulfilled."""
_STAFF: Final = Actor(UUID(int=0), Role.STAFF)
_USERS: Final = UUID("7d1fb0a1-5a52-4d52-9a4e-6c2f0b6e3f10")
_SETTLED_WITHIN: Final = 600.0  # seconds
_BYTES_A_PRODUCT, _BYTES_AN_ORDER, _BYTES_BESIDES = 2_000, 1_200, 100_000_000


class Filled(msgspec.Struct, frozen=True):
    """What a folder was filled with. The bytes are an order's, of all databases: placed and applied; and with its end,
    fulfilled or cancelled; and the latter by table. The youngest order was placed shortly before `at`.
    """

    products: int
    orders: int
    at: datetime
    seconds: float
    bytes_placed: float
    bytes_ended: float
    by_table: dict[str, float]


class NoRoom(Exception):
    """The disk is too small for the shop."""


def user(number: int) -> UUID:
    return uuid5(_USERS, str(number % USERS))


def units_of(product_id: int) -> int:
    """How many were registered."""
    return 0 if is_sold_out(product_id) else UNITS


def filled(folder: Path) -> Filled | None:
    """None for a folder that was not filled, or not to the end."""
    record = folder / RECORD
    return msgspec.json.decode(record.read_bytes(), type=Filled) if record.exists() else None


def fill(folder: Path, products: int, orders: int) -> Filled:
    """Raises `NoRoom`, or `FileExistsError` for a folder with something else in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty, and was not filled to the end: empty it, or choose another one")
    needed = products * _BYTES_A_PRODUCT + orders * _BYTES_AN_ORDER + _BYTES_BESIDES
    need_room(folder, needed, f"for a shop with {orders:,} orders")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    gc.freeze()
    with uvloop_runner() as runner:
        made = runner.run(_fill(folder, products, orders))
    gc.unfreeze()
    os.sync()  # what is written behind our back would disturb what is measured next
    (folder / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(made)))
    return made


async def _fill(folder: Path, products: int, orders: int) -> Filled:
    began = time.monotonic()
    async with _open(folder) as shop:
        await _add_products(shop, products)
    empty, tables = bytes_on_disk(folder), bytes_by_table(folder)
    async with _open(folder, orders) as shop:
        placed = await _place(shop, products, orders)
    with_orders = bytes_on_disk(folder)
    ended = placed[: round(orders * (1 - _STILL_CONFIRMED))]
    async with _open(folder, len(ended), _PERIOD - _LATER) as shop:
        await _end(shop, ended)
    whole = bytes_on_disk(folder)
    grown = {name: (size - tables.get(name, 0)) / orders for name, size in bytes_by_table(folder).items()}
    seconds = time.monotonic() - began
    return Filled(products, orders, now(), seconds, (with_orders - empty) / orders, (whole - empty) / orders, grown)


def need_room(folder: Path, needed: float, what: str) -> None:
    """Raises `NoRoom`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoom(
            f"{what} about {needed / 1e9:.1f} GB are needed, and {free / 1e9:.1f} GB are free in {folder}: "
            "choose another place with --folder or TMPDIR, or fewer --orders"
        )


class _Shop(NamedTuple):
    product: ProductService
    stock: StockService
    order: OrderService
    databases: Mapping[str, Database]
    clock: _Clock


class _Clock:
    """Goes through the past as orders are placed; afterwards it is right."""

    def __init__(self, orders: int, period: timedelta) -> None:
        self._step = period / orders if orders else timedelta()
        self._moment = now() - period

    def advance(self) -> None:
        self._moment += self._step

    def __call__(self) -> datetime:
        return self._moment if self._step else now()


@asynccontextmanager
async def _open(folder: Path, orders: int = 0, period: timedelta = _PERIOD) -> AsyncIterator[_Shop]:
    """The whole shop in this process, until all its events are heard; then its files are whole."""
    settings = Settings(data_dir=str(folder), reservation_seconds=86_400, quote_seconds=60)
    databases = {name: Database(url_of(settings, name), synchronous="OFF") for name in NAMES}
    clock = _Clock(orders, period)
    shop = compose(settings, databases=databases, clock=clock)
    product, stock, order = shop.clients.product, shop.clients.stock, shop.clients.order
    assert isinstance(product, ProductService)
    assert isinstance(stock, StockService)
    assert isinstance(order, OrderService)
    async with shop.running():
        yield _Shop(product, stock, order, databases, clock)
        await _settle(databases.values())


async def _settle(databases: Iterable[Database]) -> None:
    async with asyncio.timeout(_SETTLED_WITHIN):
        for database in databases:
            while await database.read(count_due):
                await asyncio.sleep(0.05)


async def _add_products(shop: _Shop, count: int) -> None:
    categories = [await shop.product.create_category(_STAFF, CategoryBody(name)) for name in CATEGORIES]
    made = [(good, categories[good.category].id) for good in goods(count)]
    await _many_a_transaction("adding products", shop.databases["product"], _add, made)
    await _many_a_transaction("registering their stock", shop.databases["stock"], _register, range(1, count + 1))


def _add(session: Session, good: tuple[Good, int]) -> None:
    (name, detail, price, _), category = good
    catalogue.create(session, _STAFF, NewProduct(name, price, detail, category_id=category))


def _register(session: Session, product_id: int) -> None:
    items.register(session, _STAFF, NewStock(product_id, units_of(product_id)))


async def _place(shop: _Shop, products: int, orders: int) -> list[tuple[UUID, UUID]]:
    """The ids of the orders and of their customers, the oldest first."""
    draw = random.Random(2)
    placed: list[tuple[UUID, UUID]] = []

    async def place(number: int) -> None:
        shop.clock.advance()
        customer = user(draw.randrange(USERS))
        order = await shop.order.place(Actor(customer, Role.CUSTOMER), NewOrder(_lines(draw, products)))
        placed.append((order.id, customer))

    await _each("placing orders", range(orders), place, orders)
    return placed


async def _end(shop: _Shop, placed: Sequence[tuple[UUID, UUID]]) -> None:
    with patch.object(records, "now", shop.clock):
        await _many_a_transaction(
            "fulfilling and cancelling orders", shop.databases["order"], _Ends(shop.clock), placed
        )


class _Ends:
    def __init__(self, clock: _Clock) -> None:
        self._draw, self._clock = random.Random(3), clock

    def __call__(self, session: Session, placed: tuple[UUID, UUID]) -> None:
        self._clock.advance()
        order_id, customer = placed
        if self._draw.random() < _CANCELLED:
            who = self._draw.choice([_STAFF, Actor(customer, Role.CUSTOMER)])
            records.cancel(session, who, order_id, DEFAULT_CANCELLATION)
        else:
            records.fulfil(session, _STAFF, order_id)


async def _many_a_transaction(
    what: str, database: Database, do: Callable[[Session, T], None], items: Sequence[T]
) -> None:
    """What requests do one by one, in fewer and larger transactions."""
    progress = Progress(what, len(items))
    for first in range(0, len(items), _A_TRANSACTION):
        some = items[first : first + _A_TRANSACTION]
        await database.write(_do_each, do, some)
        progress.step(len(some))
    progress.end()


def _do_each(session: Session, do: Callable[[Session, T], None], items: Sequence[T]) -> None:
    for item in items:
        do(session, item)


async def _each(what: str, items: Iterable[T], do: Callable[[T], Awaitable[None]], total: int) -> None:
    """Many at a time, as a shop has it: what waits together is done together."""
    rest, progress = iter(items), Progress(what, total)

    async def work() -> None:
        for item in rest:
            await do(item)
            progress.step()

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
    progress.end()


def _lines(draw: random.Random, products: int) -> tuple[WantedLine, ...]:
    """One to three products; some sell better than others."""
    wanted = draw.choices((1, 2, 3), (60, 30, 10))[0]
    chosen: set[int] = set()
    while len(chosen) < wanted:
        product = 1 + int(products * draw.random() ** 2)
        if not is_sold_out(product):
            chosen.add(product)
    return tuple(WantedLine(product, draw.randint(1, 3)) for product in chosen)

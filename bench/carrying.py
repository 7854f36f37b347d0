"""How many events a second one process relays, and one applies, with nobody beside it; and whose CPU an order takes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from redis import Redis
from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from uuid_utils.compat import uuid7

from bench.buying import buy, orders_by
from bench.persistent import with_stock
from bench.postgres import Postgres, four_databases
from bench.progress import say
from bench.replicas import Deployment
from bench.server import cpu_seconds_of
from ecshop.events.catalog import OrderConfirmed, OrderedUnits
from ecshop.events.outbox import record
from ecshop.events.tables import Inbox, Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import open_engine
from ecshop.stock.contract import Line
from ecshop.stock.reservations import Wanted, reserve
from entrypoints.databases import url_of
from entrypoints.local.pubsub_emulator import pubsub_emulator
from entrypoints.local.redis_server import redis_server

_EVENTS: Final = 20_000
_AT_ONCE: Final = 500
_PRODUCTS: Final = 100
_UNITS: Final = 10**9
_HELD: Final = timedelta(minutes=10)
_WITHIN, _LOOK_EVERY = 120.0, 0.2  # seconds
_WARM, _SECONDS = 2.0, 8.0
_Moment = InstrumentedAttribute[datetime | None] | InstrumentedAttribute[datetime]


def carried(folder: Path, postgres: str) -> Iterator[str]:
    """Lines of a table. Of 20,000 orders the events are recorded, relayed, applied and heard: one after the other."""
    yield f"\n{'':<20}  {'events/s':>8}  {'CPU an event':>12}  {'CPU of Redis':>12}"
    with redis_server(folder / "redis") as redis, pubsub_emulator() as pubsub:
        buses = {
            "Redis": {"REDIS_URL": redis},
            "Pub/Sub's emulator": {"ECSHOP_BUS": "pubsub", "PUBSUB_EMULATOR_HOST": pubsub},
        }
        for name, bus in buses.items():
            say(f"events over {name}")
            with four_databases(postgres) as databases:
                environment = {
                    "ECSHOP_DATABASE_URL": databases.setting,
                    "ECSHOP_RESERVATION_SECONDS": f"{_HELD.total_seconds():.0f}",
                    **bus,
                }
                with Deployment(folder / name.partition("/")[0], environment, replicas={}) as deployment:
                    yield from _phases(name, deployment, databases, Redis.from_url(redis))


def _phases(name: str, deployment: Deployment, databases: Postgres, redis: Redis) -> Iterator[str]:
    products = with_stock(deployment.address, deployment.key, _PRODUCTS, _UNITS)
    orders = [(uuid7(), products[place % _PRODUCTS]) for place in range(_EVENTS)]
    with _opened(deployment, "stock") as stock, _opened(deployment, "order") as order:
        _hold(stock, orders)
        databases.analyze()
        deployment.signal("stock", signal.SIGSTOP)
        for what, service, session, moment, begin in (
            ("relayed", "order", order, Outbox.published_at, partial(_confirm, order, orders)),
            ("applied", "stock", stock, Inbox.applied_at, partial(_go_on, deployment, "stock", instead_of="order")),
            ("marked as heard", "order", order, Outbox.heard_at, partial(_go_on, deployment, "order")),
        ):
            cpu, broker = deployment.cpu_by_name()[service], _cpu_of(redis)
            begin()
            seconds = _spread(session, moment)
            cpu, broker = deployment.cpu_by_name()[service] - cpu, _cpu_of(redis) - broker
            figures = f"{_EVENTS / seconds:>8,.0f}  {cpu / _EVENTS * 1e6:>9.0f} us"
            yield f"{name}: {what}".ljust(36) + f"{figures}  {broker / _EVENTS * 1e6:>9.0f} us"


def _hold(session: Session, orders: Sequence[tuple[UUID, int]]) -> None:
    for first in range(0, len(orders), _AT_ONCE):
        some = orders[first : first + _AT_ONCE]
        with session.begin():
            reserve(session, [Wanted(order_id, (Line(product, 1),), now() + _HELD) for order_id, product in some])


def _confirm(session: Session, orders: Sequence[tuple[UUID, int]]) -> None:
    """All in one transaction, so that the relay finds all of them at once."""
    with session.begin():
        record(
            session,
            (OrderConfirmed(id_, 1, uuid4(), (OrderedUnits(product, 1),), 1200, "JPY") for id_, product in orders),
        )


def _go_on(deployment: Deployment, name: str, *, instead_of: str = "") -> None:
    if instead_of:
        deployment.signal(instead_of, signal.SIGSTOP)
    deployment.signal(name, signal.SIGCONT)


def _spread(session: Session, moment: _Moment) -> float:
    """Seconds from the first to the last, once all of them have it."""
    deadline = time.monotonic() + _WITHIN
    while time.monotonic() < deadline:
        with session.begin():
            number, first, last = session.execute(select(func.count(moment), func.min(moment), func.max(moment))).one()
        if number >= _EVENTS and first and last:
            return (last - first).total_seconds()
        time.sleep(_LOOK_EVERY)
    raise RuntimeError(f"{number} of {_EVENTS} events have a {moment.key}")


def _opened(deployment: Deployment, name: str) -> Session:
    return Session(open_engine(url_of(deployment.settings, name)))


def by_role(folder: Path, postgres: str) -> Iterator[str]:
    """Lines of a table: servers on PostgreSQL that leave the events to one worker, as they are deployed."""
    say("CPU by role")
    with redis_server(folder / "redis") as address, four_databases(postgres) as databases:
        environment = {"ECSHOP_DATABASE_URL": databases.setting, "REDIS_URL": address}
        with Deployment(folder / "roles", environment, replicas={}, workers=1) as deployment:
            products = with_stock(deployment.address, deployment.key, _PRODUCTS, _UNITS)
            databases.analyze()
            requests, redis = orders_by(deployment.key, products), Redis.from_url(address)

            def cpu() -> dict[str, float]:
                server = {"PostgreSQL": cpu_seconds_of(databases.pid)} if databases.pid else {}
                return deployment.cpu_by_name() | server | {"Redis": _cpu_of(redis)}

            rate = 0.0
            buy(deployment, requests, _WARM)
            for load in ("full", "a third"):
                before = cpu()
                bought = buy(deployment, requests, _SECONDS, rate=rate).applied
                rate = bought.rate / 3
                used = {name: (seconds - before[name]) / bought.orders * 1e6 for name, seconds in cpu().items()}
                told = ", ".join(f"{name} {microseconds:.0f}" for name, microseconds in used.items())
                yield f"1 replica each, 1 worker, Redis, {load} load: {bought.rate:,.0f} orders/s; us of CPU: {told}"


def _cpu_of(redis: Redis) -> float:
    """Seconds, so far."""
    told = redis.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])

"""`./dev scale`: the same shop in every shape, from one process to replicas that die, in one table."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import select

from bench.buying import Shop, buy, orders_by, orders_of
from bench.load import Request
from bench.meanwhile import meanwhile
from bench.persistent import buy_for_certain, with_stock
from bench.postgres import VARIABLE, four_databases
from bench.progress import say
from bench.replicas import Deployment, kill_at_random
from bench.server import UNBOUNDED, ports_in_a_row, running
from bench.shapes import shop
from ecshop.order.models import OrderRow
from entrypoints.contexts import NAMES
from entrypoints.local.ports import free_port
from entrypoints.local.pubsub_emulator import pubsub_emulator
from entrypoints.local.redis_server import redis_server
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings

_PRODUCTS: Final = 100
_UNITS: Final = 10**9
_WARM, _SECONDS = 2.0, 8.0
_KILLS: Final = 40
_KILL_EVERY: Final = 1.5  # seconds
_BUYERS: Final = 500
_FIFTY: Final = 50
_SETTLED_WITHIN, _LOOK_EVERY = 120.0, 0.2  # seconds
_NO_LIMIT: Final = {"ECSHOP_GATEWAY_RATE": "1000000"}
_FEW: Final = {"ECSHOP_DATABASE_CONNECTIONS": "4"}
"""All together not more than a PostgreSQL takes that nobody has configured: 100."""
_THREE: Final = {"order": 3, "stock": 3}


class _Line(NamedTuple):
    shape: str
    rate: float
    cpu: float
    p99: float
    lag: float
    oversold: int


class _Hardship(NamedTuple):
    """What became of orders that buyers asked for until they were told."""

    shape: str
    told: int
    kills: int
    oversold: int
    lost: int
    doubled: int


def measure(folder: Path, postgres: str) -> tuple[list[_Line], list[_Hardship]]:
    """`postgres` names a server, or is empty."""
    lines = [_together(folder / "together"), _apart(folder / "apart"), _behind(folder / "behind")]
    hardships: list[_Hardship] = []
    with redis_server(folder / "redis") as redis, pubsub_emulator() as pubsub:
        redis_bus, pubsub_bus = {"REDIS_URL": redis}, {"ECSHOP_BUS": "pubsub", "PUBSUB_EMULATOR_HOST": pubsub}
        for name, bus, replicas, workers in (
            ("1 replica each, Redis", redis_bus, {}, 0),
            ("3 order, 3 stock, 2 workers, Redis", redis_bus, _THREE, 2),
            ("3 order, 3 stock, 2 workers, Pub/Sub", pubsub_bus, _THREE, 2),
        ):
            say(f"PostgreSQL: {name}")
            with four_databases(postgres) as databases:
                environment = {
                    "ECSHOP_DATABASE_URL": databases.setting,
                    "ECSHOP_RESERVATION_SECONDS": "5",
                    **_FEW,
                    **bus,
                }
                with Deployment(folder / name, environment, replicas=replicas, workers=workers) as deployment:
                    products = with_stock(deployment.address, deployment.key, _PRODUCTS, _UNITS)
                    databases.analyze()
                    lines.append(_line(f"PostgreSQL: {name}", deployment, orders_by(deployment.key, products)))
                    if workers:
                        hardships += [_fifty(name, deployment), _killed(name, deployment)]
    return lines, hardships


def _together(folder: Path) -> _Line:
    say("SQLite, one process")
    with shop(folder) as server:
        server.seed(_PRODUCTS, _UNITS)
        return _line("SQLite: one process", server, orders_of(folder, range(1, _PRODUCTS + 1)))


def _apart(folder: Path) -> _Line:
    say("SQLite, split")
    with running(folder, "ecshop", "up", "--split", "--base-port", str(ports_in_a_row()), contexts=NAMES) as server:
        server.seed(_PRODUCTS, _UNITS)
        return _line("SQLite: split", server, orders_of(folder, range(1, _PRODUCTS + 1)))


def _behind(folder: Path) -> _Line:
    say("SQLite, split behind the gateway")
    port = free_port()
    command = ("ecshop", "up", "--split", "--base-port", str(ports_in_a_row()), "--gateway-port", str(port))
    with running(folder, *command, contexts=NAMES, **_NO_LIMIT) as server:
        server.seed(_PRODUCTS, _UNITS)
        server.ports = dict.fromkeys(NAMES, port)
        return _line("SQLite: split, behind the gateway", server, orders_of(folder, range(1, _PRODUCTS + 1)))


def _line(name: str, server: Shop, requests: Sequence[Request]) -> _Line:
    buy(server, requests, _WARM)
    bought = buy(server, requests, _SECONDS)
    half = buy(server, requests, _SECONDS, rate=bought.applied.rate / 2).applied
    oversold = server.books.oversold_units(lambda _: _UNITS)
    return _Line(name, bought.applied.rate, bought.cpu, bought.load.p99, half.lag_p99, oversold)


def _fifty(name: str, deployment: Deployment) -> _Hardship:
    """Many buyers want one of a few units."""
    say(f"{_BUYERS} buyers for {_FIFTY} units: {name}")
    [product] = with_stock(deployment.address, deployment.key, 1, _FIFTY)
    return _judged(f"{_BUYERS} buyers for {_FIFTY} units, {name}", deployment, [product], _FIFTY)


def _killed(name: str, deployment: Deployment) -> _Hardship:
    say(f"{_KILLS} kills: {name}")
    products = with_stock(deployment.address, deployment.key, 10, 10**6)
    with meanwhile(partial(kill_at_random, deployment, every=_KILL_EVERY, times=_KILLS, seed=40)) as killing:
        return _judged(f"killed at random, {name}", deployment, products, 10**6, lambda: not killing.done())


def _judged(
    shape: str,
    deployment: Deployment,
    products: Sequence[int],
    units: int,
    goes_on: Callable[[], bool] = lambda: False,
) -> _Hardship:
    before, told = _recorded(deployment.settings), list[str]()
    last = deployment.books.last_event()
    while True:
        answers = buy_for_certain(deployment.address, deployment.key, products, _BUYERS)
        told += [answer.json()["id"] for answer in answers if answer.is_success]
        if not goes_on():
            break
    deployment.mend()
    deployment.books.applied_since(last)
    recorded = _recorded(deployment.settings) - before
    return _Hardship(
        shape,
        len(told),
        deployment.kills,
        _oversold(deployment, units, set(products)),
        len(set(told) - recorded),
        len(recorded - set(told)) + len(told) - len(set(told)),
    )


def _oversold(deployment: Deployment, units: int, products: set[int]) -> int:
    """Once what the dead held is free again, or was not in time."""
    deadline = time.monotonic() + _SETTLED_WITHIN
    while (found := deployment.books.oversold_units(lambda _: units, products)) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
    return found


def _recorded(settings: Settings) -> set[str]:
    query = select(OrderRow.id).where(OrderRow.user_id.is_not(None))
    return beside_the_shop(settings, "order", lambda session: {str(one) for one in session.scalars(query)})


def _show(lines: Sequence[_Line], hardships: Sequence[_Hardship]) -> None:
    width = max(map(len, [line.shape for line in lines] + [each.shape for each in hardships]))
    print(f"{'':<{width}}  {'orders/s':>9}  {'CPU an order':>12}  {'p99':>7}  {'event lag p99':>13}  {'oversold':>8}")
    for line in lines:
        figures = (
            f"{line.rate:>9,.0f}  {line.cpu:>9.0f} us  {line.p99:>4.0f} ms  {line.lag:>10.0f} ms  {line.oversold:>8}"
        )
        print(f"{line.shape:<{width}}  {figures}")
    print(f"\n{'':<{width}}  {'orders':>9}  {'kills':>5}  {'oversold':>8}  {'lost':>4}  {'doubled':>7}")
    for each in hardships:
        figures = f"{each.told:>9,}  {each.kills:>5}  {each.oversold:>8}  {each.lost:>4}  {each.doubled:>7}"
        print(f"{each.shape:<{width}}  {figures}")


def main() -> None:
    postgres = os.environ.pop(VARIABLE, "")  # a shop refuses a variable that it does not know
    os.environ.update(UNBOUNDED)
    with tempfile.TemporaryDirectory(prefix="ecshop-scale-") as folder:
        _show(*measure(Path(folder), postgres))


if __name__ == "__main__":
    main()

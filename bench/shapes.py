"""The shop in each of its shapes, measured in the same run as the bare handler that everything is compared with."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

from bench.buying import Bought, buy, orders_of
from bench.load import Request
from bench.postgres import NoPostgres, Postgres, four_databases
from bench.progress import say
from bench.server import Server, cpu_seconds_of, ports_in_a_row, running
from bench.table import Row
from bench.yardstick import SECONDS, Beside, Yardstick, handler
from ecshop.auth.key_file import FILE, signing_key_in
from entrypoints.contexts import NAMES

PRODUCTS: Final = 100
UNITS: Final = 10**9
_ALL: Final = range(1, PRODUCTS + 1)
Rows = Generator[Row, None, Beside[Bought]]
"""Lines of the table, and the orders of the shape, for what is compared with them."""


def measure(folder: Path, postgres: str) -> Iterator[Row]:
    """Each shape by turns with the bare handler. `postgres` names a server, or is empty."""
    with handler(folder, "bare", _ALL) as bare:
        yield from _edge(folder, bare)
        one = yield from _one_process(folder / "full", "one process, FULL", "FULL", bare)
        yield from _one_process(folder / "normal", "one process, NORMAL", "NORMAL", bare)
        apart = yield from _split(folder / "split", bare)
        yield Row(
            "split: CPU an order, of one process's", f"{_bare_requests(apart) / _bare_requests(one):.1f} x", goal="2 x"
        )
        try:
            with four_databases(postgres) as databases:
                yield from _one_process_on(folder / "postgres", databases, bare)
        except NoPostgres as reason:
            say(f"PostgreSQL is left out: {reason}")


def _edge(folder: Path, bare: Yardstick) -> Iterator[Row]:
    say("the edge handler")
    with handler(folder, "edge", _ALL) as edge:
        found = bare.beside(edge.rate, float)
    yield from _beside("the edge alone, around the same handler", found, "75 %")


def _one_process(folder: Path, name: str, synchronous: str, bare: Yardstick) -> Rows:
    say(name)
    with shop(folder, ECSHOP_SYNCHRONOUS=synchronous):
        pass
    with shop(folder, ECSHOP_SYNCHRONOUS=synchronous) as server:
        orders = yield from _orders(server, name, bare, "30 %", "p99 250 ms")
        if synchronous == "FULL":
            yield _at_half_load(server, name, orders)
            yield from _of_one_product(server, name, orders)
            yield _reads(server, name, bare, "40 %")
            yield Row(f"{name}: peak memory", f"{server.peak_memory():.0f} MB", goal="150 MB")
            yield Row(f"{name}: warm start", f"{server.seconds_to_start:.2f} s", goal="3 s")
        yield _oversold(server, name)
    return orders


def _split(folder: Path, bare: Yardstick) -> Rows:
    name = "split"
    say(name)
    command = ("ecshop", "up", "--split", "--base-port", str(ports_in_a_row()))
    with running(folder, *command, contexts=NAMES) as server:
        orders = yield from _orders(server, name, bare, "18 %", "")
        yield _at_half_load(server, name, orders)
        yield _reads(server, name, bare)
        yield Row(f"{name}: peak memory, all processes", f"{server.peak_memory():.0f} MB")
        yield Row(f"{name}: start", f"{server.seconds_to_start:.2f} s")
        yield _oversold(server, name)
    return orders


def _one_process_on(folder: Path, databases: Postgres, bare: Yardstick) -> Iterator[Row]:
    name = "PostgreSQL, one process"
    say(f"{name}, {databases.version}")
    signing_key_in(folder)
    environment = {"ECSHOP_DATABASE_URL": databases.setting, "ECSHOP_SIGNING_KEY": (folder / FILE).read_text()}
    with shop(folder, **environment) as server:
        _prepare(server)
        databases.analyze()
        cpu = cpu_seconds_of(databases.pid) if databases.pid else 0.0
        orders = _taken(server, bare)
        yield from _order_rows(name, orders, "17 %", "")
        if databases.pid:
            count = sum(bought.applied.orders for _, bought in orders.turns)
            servers = (cpu_seconds_of(databases.pid) - cpu) / count * 1e6
            yield Row(f"{name}: CPU an order, the database's", f"{servers:.0f} us")
        yield _at_half_load(server, name, orders)
        yield _oversold(server, name)


def shop(folder: Path, **environment: str) -> AbstractContextManager[Server]:
    return running(folder, "ecshop", "up", "--port", "0", contexts=NAMES, **environment)


def _orders(server: Server, name: str, bare: Yardstick, share: str, lag: str) -> Rows:
    _prepare(server)
    orders = _taken(server, bare)
    yield from _order_rows(name, orders, share, lag)
    return orders


def _prepare(server: Server) -> None:
    server.seed(PRODUCTS, UNITS)
    buy(server, orders_of(server.folder, _ALL), 1)


def _taken(server: Server, bare: Yardstick) -> Beside[Bought]:
    requests = orders_of(server.folder, _ALL)
    return bare.beside_orders(lambda: buy(server, requests, SECONDS))


def _order_rows(name: str, orders: Beside[Bought], share: str, lag: str) -> Iterator[Row]:
    yield from _beside(f"{name}: orders, applied", orders, share)
    requests = [orders.median(lambda bought: bought.load.p50), orders.median(lambda bought: bought.load.p99)]
    lags = [orders.median(lambda bought: bought.applied.lag_p50), orders.median(lambda bought: bought.applied.lag_p99)]
    yield Row(f"{name}: order request p50 / p99", _ms(*requests), goal="p99 90 ms")
    yield Row(f"{name}: recorded -> applied p50 / p99", _ms(*lags), goal=lag)
    yield Row(f"{name}: CPU an order, all processes", f"{orders.median(lambda bought: bought.cpu):.0f} us")


def _bare_requests(orders: Beside[Bought]) -> float:
    """How many requests the bare handler answers in the CPU time of an order; a slow second is one for both."""
    return median(bare * bought.cpu for bare, bought in orders.turns) / 1e6


def _at_half_load(server: Server, name: str, orders: Beside[Bought]) -> Row:
    """Of the rate that was measured just before."""
    half = buy(server, orders_of(server.folder, _ALL), 8, rate=orders.rate / 2).applied
    return Row(
        f"{name}: recorded -> applied p50 / p99 at half load", _ms(half.lag_p50, half.lag_p99), goal="p99 100 ms"
    )


def _of_one_product(server: Server, name: str, orders: Beside[Bought]) -> Iterator[Row]:
    """By turns with orders of many products, for the machine is shared."""
    requests = [orders_of(server.folder, products) for products in (_ALL, [1])]
    rounds = [[buy(server, each, 3).applied.rate for each in requests] for _ in range(3)]
    many, one = (fmean(rates) for rates in zip(*rounds, strict=True))
    what = f"{name}: orders, all of one product"
    yield Row(what, _a_second(one), orders.share * one / many)
    yield Row(f"{what}, of those of many", f"{one / many:.2f} x", goal="1 x")


def _oversold(server: Server, name: str) -> Row:
    return Row(f"{name}: oversold units", f"{server.books.oversold_units(lambda _: UNITS)}", goal="0")


def _reads(server: Server, name: str, bare: Yardstick, goal: str = "") -> Row:
    requests = [Request("GET", f"/products/{number}") for number in _ALL]
    reads = bare.beside_load(server, "product", requests)
    return Row(f"{name}: product reads", _a_second(reads.rate), reads.share, goal)


def _beside(what: str, found: Beside[Any], goal: str) -> Iterator[Row]:
    yield Row("bare handler: token, body, answer", _a_second(found.bare), 1)
    yield Row(what, _a_second(found.rate), found.share, goal)


def _a_second(rate: float) -> str:
    return f"{rate:,.0f}/s"


def _ms(p50: float, p99: float) -> str:
    return f"{p50:.0f} / {p99:.0f} ms"

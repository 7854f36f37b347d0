"""The shop in each of its shapes, measured in the same run as the bare handler that everything is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import fmean
from typing import Final

from bench.buying import Bought, buy, load_on, orders_of
from bench.load import Request
from bench.postgres import NoPostgres, Postgres, four_databases
from bench.progress import say
from bench.server import Server, cpu_seconds_of, ports_in_a_row, running
from bench.table import Row, Section
from ecshop.auth.key_file import FILE, signing_key_in
from entrypoints.contexts import NAMES

PRODUCTS: Final = 100
UNITS: Final = 10**9
_ALL: Final = range(1, PRODUCTS + 1)


def measure(folder: Path, postgres: str) -> Iterator[Section]:
    """Each shape between two measurements of the bare handler, since the machine is shared.

    `postgres` names a server, or is empty.
    """
    before = _handler(folder, "bare")
    for rows in _shapes(folder, postgres):
        after = _handler(folder, "bare")
        yield Section(max(before, after), rows)
        before = after


def _shapes(folder: Path, postgres: str) -> Iterator[list[Row]]:
    yield [_rate("the edge alone, around the same handler", _handler(folder, "edge"), "75 %")]
    rows, cpu = _one_process(folder / "full", "one process, FULL", "FULL")
    yield rows
    rows, _ = _one_process(folder / "normal", "one process, NORMAL", "NORMAL")
    yield rows
    rows, apart_cpu = _split(folder / "split")
    yield [*rows, Row("split: CPU an order, of one process's", f"{apart_cpu / cpu:.1f} x", goal="2 x")]
    try:
        with four_databases(postgres) as databases:
            rows = _one_process_on(folder / "postgres", databases)
    except NoPostgres as reason:
        say(f"PostgreSQL is left out: {reason}")
    else:
        yield rows


def _handler(folder: Path, app: str) -> float:
    say(f"the {app} handler")
    folder = folder / app
    with running(folder, "bench.bare", app, str(folder), contexts=[app]) as server:
        requests = orders_of(folder, _ALL)
        load_on(server, app, requests, 1)
        return load_on(server, app, requests, 3).rate


def _one_process(folder: Path, name: str, synchronous: str) -> tuple[list[Row], float]:
    """The rows, and the CPU time of an order."""
    say(name)
    with shop(folder, ECSHOP_SYNCHRONOUS=synchronous):
        pass
    with shop(folder, ECSHOP_SYNCHRONOUS=synchronous) as server:
        rows, many = _orders(server, name, "30 %", "p99 250 ms")
        if synchronous == "FULL":
            rows.append(_at_half_load(server, name, many))
            rows += _of_one_product(server, name)
            rows.append(_rate(f"{name}: product reads", _read(server), "40 %"))
            rows.append(Row(f"{name}: peak memory", f"{server.peak_memory():.0f} MB", goal="150 MB"))
            rows.append(Row(f"{name}: warm start", f"{server.seconds_to_start:.2f} s", goal="3 s"))
        rows.append(_oversold(server, name))
    return rows, many.cpu


def _split(folder: Path) -> tuple[list[Row], float]:
    name = "split"
    say(name)
    command = ("ecshop", "up", "--split", "--base-port", str(ports_in_a_row()))
    with running(folder, *command, contexts=NAMES) as server:
        rows, many = _orders(server, name, "18 %", "")
        rows.append(_at_half_load(server, name, many))
        rows.append(_rate(f"{name}: product reads", _read(server)))
        rows.append(Row(f"{name}: peak memory, all processes", f"{server.peak_memory():.0f} MB"))
        rows.append(Row(f"{name}: start", f"{server.seconds_to_start:.2f} s"))
        rows.append(_oversold(server, name))
    return rows, many.cpu


def _one_process_on(folder: Path, databases: Postgres) -> list[Row]:
    name = "PostgreSQL, one process"
    say(f"{name}, {databases.version}")
    signing_key_in(folder)
    environment = {"ECSHOP_DATABASE_URL": databases.setting, "ECSHOP_SIGNING_KEY": (folder / FILE).read_text()}
    with shop(folder, **environment) as server:
        _prepare(server)
        databases.analyze()
        cpu = cpu_seconds_of(databases.pid) if databases.pid else 0.0
        rounds = _rounds(server)
        many = _better(rounds)
        rows = _order_rows(name, many, "17 %", "")
        if databases.pid:
            orders = sum(bought.applied.orders for bought in rounds)
            servers = (cpu_seconds_of(databases.pid) - cpu) / orders * 1e6
            rows.append(Row(f"{name}: CPU an order, the database's", f"{servers:.0f} us"))
        rows.append(_at_half_load(server, name, many))
        rows.append(_oversold(server, name))
    return rows


def shop(folder: Path, **environment: str) -> AbstractContextManager[Server]:
    return running(folder, "ecshop", "up", "--port", "0", contexts=NAMES, **environment)


def _orders(server: Server, name: str, share: str, lag: str) -> tuple[list[Row], Bought]:
    _prepare(server)
    many = _better(_rounds(server))
    return _order_rows(name, many, share, lag), many


def _rounds(server: Server) -> list[Bought]:
    return [buy(server, orders_of(server.folder, _ALL), 4) for _ in range(2)]


def _better(rounds: Sequence[Bought]) -> Bought:
    """As of the bare handler's, for the machine is shared."""
    return max(rounds, key=lambda bought: bought.applied.rate)


def _prepare(server: Server) -> None:
    server.seed(PRODUCTS, UNITS)
    buy(server, orders_of(server.folder, _ALL), 1)


def _order_rows(name: str, bought: Bought, share: str, lag: str) -> list[Row]:
    load, applied = bought.load, bought.applied
    return [
        _rate(f"{name}: orders, applied", applied.rate, share),
        Row(f"{name}: order request p50 / p99", f"{load.p50:.0f} / {load.p99:.0f} ms", goal="p99 90 ms"),
        Row(f"{name}: recorded -> applied p50 / p99", f"{applied.lag_p50:.0f} / {applied.lag_p99:.0f} ms", goal=lag),
        Row(f"{name}: CPU an order, all processes", f"{bought.cpu:.0f} us"),
    ]


def _at_half_load(server: Server, name: str, many: Bought) -> Row:
    """Of the rate that was measured just before."""
    half = buy(server, orders_of(server.folder, _ALL), 8, rate=many.applied.rate / 2).applied
    lag = f"{half.lag_p50:.0f} / {half.lag_p99:.0f} ms"
    return Row(f"{name}: recorded -> applied p50 / p99 at half load", lag, goal="p99 100 ms")


def _of_one_product(server: Server, name: str) -> list[Row]:
    """By turns with orders of many products, for the machine is shared."""
    requests = [orders_of(server.folder, products) for products in (_ALL, [1])]
    rounds = [[buy(server, each, 3).applied.rate for each in requests] for _ in range(3)]
    many, one = (fmean(rates) for rates in zip(*rounds, strict=True))
    what = f"{name}: orders, all of one product"
    return [_rate(what, one), Row(f"{what}, of those of many", f"{one / many:.2f} x", goal="1 x")]


def _oversold(server: Server, name: str) -> Row:
    return Row(f"{name}: oversold units", f"{server.books.oversold_units(lambda _: UNITS)}", goal="0")


def _rate(what: str, rate: float, goal: str = "") -> Row:
    return Row(what, f"{rate:,.0f}/s", rate, goal)


def _read(server: Server) -> float:
    return load_on(server, "product", [Request("GET", f"/products/{number}") for number in _ALL], 4).rate

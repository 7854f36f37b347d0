"""`./dev bench`: one table, everything in it measured in the same run on the machine at hand."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from http import HTTPStatus
from os import cpu_count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec

from bench import wrk
from bench.audit import Applied, applied_since, oversold_units
from bench.load import Request, Result
from bench.server import Server, running
from ecshop.auth.keys import signing_key_in
from ecshop.kernel.identity import Role
from entrypoints.contexts import NAMES

BUYERS: Final = 64
PRODUCTS: Final = 100
UNITS: Final = 10**9


class Row(msgspec.Struct, frozen=True):
    """A line of the table; a `rate` a second is also shown as its share of the bare handler's."""

    what: str
    figure: str
    rate: float = 0.0
    goal: str = ""


class Bought(msgspec.Struct, frozen=True):
    load: Result
    applied: Applied
    cpu: float
    """Microseconds an order, of all processes, until its units have left the stock."""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ecshop-bench-") as folder:
        rows, bare = measure(Path(folder))
    machine = f"{platform.machine()}, {cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, {BUYERS} buyers, load from {'wrk' if wrk.is_installed() else 'bench/load.py'}\n")
    width = max(len(row.what) for row in rows)
    print(f"{'':<{width}}  {'figure':>12}  {'share':>6}  goal")
    for row in rows:
        share = f"{100 * row.rate / bare:.0f} %" if row.rate else ""
        print(f"{row.what:<{width}}  {row.figure:>12}  {share:>6}  {row.goal}".rstrip())


def measure(folder: Path) -> tuple[list[Row], float]:
    """The table, and the bare handler's rate: the best of three between the others, since the machine is shared."""
    bare, edge = [_handler(folder, "bare")], [_handler(folder, "edge")]
    together, cpu = _one_process(folder / "full", "one process, FULL", "FULL")
    bare.append(_handler(folder, "bare"))
    rows, _ = _one_process(folder / "normal", "one process, NORMAL", "NORMAL")
    bare.append(_handler(folder, "bare"))
    edge.append(_handler(folder, "edge"))
    apart, apart_cpu = _split(folder / "split")
    handlers = [
        _rate("bare handler: token, body, answer", max(bare)),
        _rate("the edge alone, around the same handler", max(edge), "75 %"),
    ]
    ratio = Row("split: CPU an order, of one process's", f"{apart_cpu / cpu:.1f} x", goal="2 x")
    return [*handlers, *together, *rows, *apart, ratio], max(bare)


def _handler(folder: Path, app: str) -> float:
    _say(f"the {app} handler")
    folder = folder / app
    with running(folder, "bench.bare", app, str(folder), contexts=[app]) as server:
        requests = _orders(folder, range(1, PRODUCTS + 1))
        _load(server, app, requests, 1)
        return _load(server, app, requests, 3).rate


def _one_process(folder: Path, name: str, synchronous: str) -> tuple[list[Row], float]:
    """The rows, and the CPU time of an order."""
    _say(name)
    with _shop(folder, synchronous):
        pass
    with _shop(folder, synchronous) as server:
        server.seed(PRODUCTS, UNITS)
        _buy(server, range(1, PRODUCTS + 1), 1)
        many = _buy(server, range(1, PRODUCTS + 1), 8)
        rows = _order_rows(name, many, "30 %", "p99 250 ms")
        if synchronous == "FULL":
            one = _buy(server, [1], 6).applied
            rows.append(_rate(f"{name}: orders, all of one product", one.rate, "30 %"))
            rows.append(_rate(f"{name}: product reads", _read(server), "40 %"))
            rows.append(Row(f"{name}: peak memory", f"{server.peak_memory():.0f} MB", goal="150 MB"))
            rows.append(Row(f"{name}: warm start", f"{server.seconds_to_start:.2f} s", goal="3 s"))
        rows.append(Row(f"{name}: oversold units", f"{oversold_units(folder, UNITS)}", goal="0"))
    return rows, many.cpu


def _split(folder: Path) -> tuple[list[Row], float]:
    name = "split"
    _say(name)
    command = ("ecshop", "up", "--split", "--base-port", str(_base_port()))
    with running(folder, *command, contexts=NAMES) as server:
        server.seed(PRODUCTS, UNITS)
        _buy(server, range(1, PRODUCTS + 1), 1)
        many = _buy(server, range(1, PRODUCTS + 1), 8)
        rows = _order_rows(name, many, "18 %", "")
        rows.append(_rate(f"{name}: product reads", _read(server)))
        rows.append(Row(f"{name}: peak memory, all processes", f"{server.peak_memory():.0f} MB"))
        rows.append(Row(f"{name}: start", f"{server.seconds_to_start:.2f} s"))
        rows.append(Row(f"{name}: oversold units", f"{oversold_units(folder, UNITS)}", goal="0"))
    return rows, many.cpu


def _order_rows(name: str, bought: Bought, share: str, lag: str) -> list[Row]:
    load, applied = bought.load, bought.applied
    refused = sum(count for status, count in load.answers.items() if status not in (HTTPStatus.OK, HTTPStatus.CREATED))
    if refused:
        raise RuntimeError(f"{name}: {load.answers}")
    return [
        _rate(f"{name}: orders, applied", applied.rate, share),
        Row(f"{name}: order request p50 / p99", f"{load.p50:.0f} / {load.p99:.0f} ms", goal="p99 90 ms"),
        Row(f"{name}: recorded -> applied p50 / p99", f"{applied.lag_p50:.0f} / {applied.lag_p99:.0f} ms", goal=lag),
        Row(f"{name}: CPU an order, all processes", f"{bought.cpu:.0f} us"),
    ]


def _rate(what: str, rate: float, goal: str = "") -> Row:
    return Row(what, f"{rate:,.0f}/s", rate, goal)


def _buy(server: Server, products: Sequence[int], seconds: float) -> Bought:
    began, cpu = time.time(), server.cpu_seconds()
    load = _load(server, "order", _orders(server.folder, products), seconds)
    applied = applied_since(server.folder, began)
    return Bought(load, applied, (server.cpu_seconds() - cpu) / applied.orders * 1e6)


def _read(server: Server) -> float:
    reads = [Request("GET", f"/products/{number}") for number in range(1, PRODUCTS + 1)]
    return _load(server, "product", reads, 4).rate


def _load(server: Server, context: str, requests: Sequence[Request], seconds: float) -> Result:
    if wrk.is_installed():
        return wrk.load(server.ports[context], requests, BUYERS, seconds)
    return server.load(context, requests, BUYERS, seconds)


def _orders(folder: Path, products: Sequence[int]) -> list[Request]:
    """One order for each product, by buyers in turn."""
    key = signing_key_in(folder)
    tokens = [key.token_for_user(uuid4(), Role.CUSTOMER, 900) for _ in range(BUYERS)]
    body = '{{"lines":[{{"product_id":{},"quantity":1}}]}}'
    turns = range(max(BUYERS, len(products)))
    return [
        Request("POST", "/orders", tokens[turn % BUYERS], body.format(products[turn % len(products)])) for turn in turns
    ]


def _shop(folder: Path, synchronous: str) -> Any:
    return running(folder, "ecshop", "up", "--port", "0", contexts=NAMES, ECSHOP_SYNCHRONOUS=synchronous)


def _base_port() -> int:
    return 20_000 + 4 * (int(time.time()) % 2_000)


def _say(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr, flush=True)


main()

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


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ecshop-bench-") as folder:
        rows, bare = measure(Path(folder))
    print(f"{platform.machine()}, {cpu_count()} cores, Python {platform.python_version()}, {BUYERS} buyers\n")
    width = max(len(row.what) for row in rows)
    print(f"{'':<{width}}  {'figure':>12}  {'share':>6}  goal")
    for row in rows:
        share = f"{100 * row.rate / bare:.0f} %" if row.rate else ""
        print(f"{row.what:<{width}}  {row.figure:>12}  {share:>6}  {row.goal}".rstrip())


def measure(folder: Path) -> tuple[list[Row], float]:
    """The table, and the bare handler's rate: the best of three between the others, since the machine is shared."""
    bare = [_bare(folder / "bare")]
    rows = _one_process(folder / "full", "one process, FULL", "FULL")
    bare.append(_bare(folder / "bare"))
    rows += _one_process(folder / "normal", "one process, NORMAL", "NORMAL")
    bare.append(_bare(folder / "bare"))
    rows += _split(folder / "split")
    return [_rate("bare handler: token, body, answer", max(bare)), *rows], max(bare)


def _bare(folder: Path) -> float:
    _say("the bare handler")
    with running(folder, "bench.bare", str(folder), contexts=["bare"]) as server:
        requests = _orders(folder, range(1, PRODUCTS + 1))
        server.load("bare", requests, BUYERS, 1)
        return server.load("bare", requests, BUYERS, 3).rate


def _one_process(folder: Path, name: str, synchronous: str) -> list[Row]:
    _say(name)
    with _shop(folder, synchronous):
        pass
    with _shop(folder, synchronous) as server:
        server.seed(PRODUCTS, UNITS)
        _buy(server, range(1, PRODUCTS + 1), 1)
        many, applied = _buy(server, range(1, PRODUCTS + 1), 8)
        rows = _order_rows(name, many, applied, "25 %")
        if synchronous == "FULL":
            _, one = _buy(server, [1], 6)
            rows.append(_rate(f"{name}: orders, all of one product", one.rate, "25 %"))
            reads = server.load(
                "product", [Request("GET", f"/products/{n}") for n in range(1, PRODUCTS + 1)], BUYERS, 5
            )
            rows.append(_rate(f"{name}: product reads", reads.rate, "40 %"))
            rows.append(Row(f"{name}: peak memory", f"{server.peak_memory():.0f} MB", goal="150 MB"))
            rows.append(Row(f"{name}: warm start", f"{server.seconds_to_start:.2f} s", goal="3 s"))
        rows.append(Row(f"{name}: oversold units", f"{oversold_units(folder, UNITS)}", goal="0"))
    return rows


def _split(folder: Path) -> list[Row]:
    name = "split"
    _say(name)
    command = ("ecshop", "up", "--split", "--base-port", str(_base_port()))
    with running(folder, *command, contexts=NAMES) as server:
        server.seed(PRODUCTS, UNITS)
        _buy(server, range(1, PRODUCTS + 1), 1)
        many, applied = _buy(server, range(1, PRODUCTS + 1), 8)
        rows = _order_rows(name, many, applied)
        reads = server.load("product", [Request("GET", f"/products/{n}") for n in range(1, PRODUCTS + 1)], BUYERS, 4)
        rows.append(_rate(f"{name}: product reads", reads.rate))
        rows.append(Row(f"{name}: peak memory, all processes", f"{server.peak_memory():.0f} MB"))
        rows.append(Row(f"{name}: start", f"{server.seconds_to_start:.2f} s"))
        rows.append(Row(f"{name}: oversold units", f"{oversold_units(folder, UNITS)}", goal="0"))
    return rows


def _order_rows(name: str, load: Result, applied: Applied, goal: str = "") -> list[Row]:
    refused = sum(count for status, count in load.answers.items() if status != HTTPStatus.CREATED)
    if refused:
        raise RuntimeError(f"{name}: {load.answers}")
    return [
        _rate(f"{name}: orders, applied", applied.rate, goal),
        Row(f"{name}: order request p50 / p99", f"{load.p50:.0f} / {load.p99:.0f} ms"),
        Row(
            f"{name}: recorded -> applied p50 / p99",
            f"{applied.lag_p50:.0f} / {applied.lag_p99:.0f} ms",
            goal="p99 250 ms" if goal else "",
        ),
    ]


def _rate(what: str, rate: float, goal: str = "") -> Row:
    return Row(what, f"{rate:,.0f}/s", rate, goal)


def _buy(server: Server, products: Sequence[int], seconds: float) -> tuple[Result, Applied]:
    began = time.time()
    load = server.load("order", _orders(server.folder, products), BUYERS, seconds)
    return load, applied_since(server.folder, began)


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

"""What a shop costs that has grown: a large one beside a small one, in the same run, by turns."""

from __future__ import annotations

import argparse
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from bench.buying import BUYERS, Bought, buy, buying, orders_of
from bench.fill import Filled, fill, filled, need_room, units_of
from bench.goods import is_sold_out
from bench.lists import ask_once, lists
from bench.load import SLICE, Latency, Request
from bench.progress import say
from bench.purging import cost_of_purge
from bench.server import Server
from bench.shapes import shop
from bench.sizes import bytes_on_disk, largest_log
from bench.table import Pair

_SMALL: Final = (100, 1_000)
"""Products and orders."""
_ASKED_FOR: Final = 4_000
"""Products of a large shop that are ordered."""
_ROUNDS, _ROUND = 30, 2.0  # of so many seconds each
_BUYERS_BESIDE: Final = 16
_READ: Final = 180.0
"""Seconds: on a slow machine, too, each list is read more than 100 times. Of fewer, the p99 is the slowest of all."""
_LOOK_EVERY: Final = 0.1  # seconds
_LARGEST_TABLES: Final = 6
_LIST_GOAL: Final = 50  # milliseconds
_BYTES_GOAL: Final = 600
_START_GOAL: Final = 2  # seconds
_RATE_GOAL: Final = 0.85
_PURGE_GOAL: Final = 0.05


class Wanted(argparse.Namespace):
    growth: bool
    against: str | None
    costs: bool
    pairs: int
    orders: int
    products: int
    minutes: float
    folder: Path | None


class _Shop(NamedTuple):
    server: Server
    filled: Filled
    orders: Sequence[Request]


def measure(large: Path, scratch: Path, wanted: Wanted) -> tuple[list[Pair], list[str]]:
    """The table, and what there is to say besides. Raises `NoRoom` or `FileExistsError`."""
    made = filled(large) or fill(large, wanted.products, wanted.orders)
    need_room(scratch, 3 * bytes_on_disk(large), "to purge a copy of it beside another one")
    small = scratch / "small"
    few = fill(small, *_SMALL)
    starts = [_warm_start(folder) for folder in (small, large)]
    with shop(small) as one, shop(large) as other:
        shops = (_of(one, few), _of(other, made))
        bought = _by_turns(shops)
        rates = [median(each.applied.rate for each in all_) for all_ in bought]
        pairs = _order_pairs(bought, rates) + _list_pairs(shops) + _constant_pairs(shops, rates, wanted.minutes * 60)
        memory = [each.server.peak_memory() for each in shops]
        oversold = [each.server.books.oversold_units(units_of) for each in shops]
    cost = cost_of_purge(large, scratch, shops[1].orders)
    purge = f"a purge of {cost.rows:,} rows meanwhile:"
    return [
        *pairs,
        Pair(f"{purge} takes of the orders", "", f"{cost.rate:.1%}", None, "5 %", cost.rate > _PURGE_GOAL),
        Pair(f"{purge} adds to the CPU of one", "", f"{cost.cpu:.1%}", None),
        _pair("warm start", starts, "{:.2f} s", "2 s", missed=starts[1] > _START_GOAL),
        _pair("peak memory", memory, "{:.0f} MB"),
        _bytes("bytes an order on disk, placed and applied", made.bytes_placed),
        _bytes("bytes an order on disk, fulfilled or cancelled", made.bytes_ended),
        _pair("oversold units", oversold, "{}", "0", missed=oversold[1] > 0),
    ], _notes(made)


def _warm_start(folder: Path) -> float:
    say(f"the start of {folder.name}")
    with shop(folder):
        pass
    with shop(folder) as server:
        return server.seconds_to_start


def _of(server: Server, made: Filled) -> _Shop:
    on_sale = [number for number in range(1, made.products + 1) if not is_sold_out(number)]
    asked_for = random.Random(4).sample(on_sale, min(_ASKED_FOR, len(on_sale)))
    return _Shop(server, made, orders_of(server.folder, asked_for))


def _by_turns(shops: Sequence[_Shop]) -> list[list[Bought]]:
    """What is measured shortly after each other is compared, and neither is always the first: the machine is shared."""
    say(f"orders, {_ROUNDS} times in each shop")
    for each in shops:
        buy(each.server, each.orders, 2)
    bought: list[list[Bought]] = [[] for _ in shops]
    turn = list(zip(shops, bought, strict=True))
    for _ in range(_ROUNDS):
        for each, rounds in turn:
            rounds.append(buy(each.server, each.orders, _ROUND))
        turn.reverse()
    return bought


def _order_pairs(bought: Sequence[Sequence[Bought]], rates: Sequence[float]) -> list[Pair]:
    """A ratio is the median of those of the rounds: within one the machine is about equally fast."""

    def medians(what: Callable[[Bought], float]) -> list[float]:
        return [median(map(what, all_)) for all_ in bought]

    def ratio(what: Callable[[Bought], float]) -> float:
        return median(what(large) / what(small) for small, large in zip(*bought, strict=True))

    kept, rate = ratio(lambda each: each.applied.rate), f"orders, applied, of {BUYERS} buyers"
    cpus, cpu = medians(lambda each: each.cpu), ratio(lambda each: each.cpu)
    return [
        _pair(rate, rates, "{:,.0f}/s", f"{_RATE_GOAL} x", missed=kept < _RATE_GOAL, ratio=kept),
        _pair("CPU an order", cpus, "{:.0f} us", ratio=cpu),
        _pair("order request p99", medians(lambda each: each.load.p99), "{:.0f} ms"),
        _pair("recorded -> applied p99", medians(lambda each: each.applied.lag_p99), "{:.0f} ms"),
    ]


def _list_pairs(shops: Sequence[_Shop]) -> list[Pair]:
    """What one reader waits while others order."""
    small, large = (_read(each) for each in shops)
    return [
        Pair(
            f"GET {name}",
            _shown(small[name]) if name in small else "",
            _shown(latency),
            latency.p99 / small[name].p99 if name in small else None,
            f"{_LIST_GOAL} ms",
            latency.p99 > _LIST_GOAL,
        )
        for name, latency in large.items()
    ]


def _read(each: _Shop) -> dict[str, Latency]:
    """By list, in the order in which they are asked for."""
    requests = lists(each.server, each.filled)
    names = list(dict.fromkeys(request.name for request in requests))
    say(f"{len(names)} lists of {each.server.folder.name} while {_BUYERS_BESIDE} buyers order")
    ask_once(each.server, requests[: len(names)])
    with buying(each.server, each.orders, _BUYERS_BESIDE):
        result = each.server.load("product", requests, 1, _READ)
    if set(result.answers) != {HTTPStatus.OK}:
        raise RuntimeError(f"lists were refused: {result.answers}")
    return {name: result.named[name] for name in names}


def _constant_pairs(shops: Sequence[_Shop], rates: Sequence[float], seconds: float) -> list[Pair]:
    """Half of what each of them can do, so that what is late is late for a reason."""
    slices: list[Sequence[float]] = []
    logs: list[float] = []
    for each, rate in zip(shops, rates, strict=True):
        say(f"{seconds:.0f} s of {each.server.folder.name} at half load")
        with _largest_log(each.server.folder) as sizes:
            slices.append(buy(each.server, each.orders, seconds, rate=rate / 2).load.slices)
        logs.append(max(sizes) / 2**20)
    what = f"order request p99 at half load, of {SLICE:.0f} s:"
    return [
        _pair(f"{what} median", [median(some) for some in slices], "{:.0f} ms"),
        _pair(f"{what} worst", [max(some) for some in slices], "{:.0f} ms"),
        _pair("largest write-ahead log meanwhile", logs, "{:.1f} MB"),
    ]


@contextmanager
def _largest_log(folder: Path) -> Iterator[list[int]]:
    """The sizes that it has had, once the context is over."""
    sizes, over = [largest_log(folder)], threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY):
            sizes.append(largest_log(folder))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield sizes
    finally:
        over.set()
        looking.join()


def _notes(made: Filled) -> list[str]:
    """The large shop, and where its bytes are."""
    tables = sorted(made.by_table.items(), key=lambda one: -one[1])[:_LARGEST_TABLES]
    took = timedelta(seconds=round(made.seconds))
    return [
        f"large: {made.products:,} products and {made.orders:,} orders, filled in {took}",
        "bytes an order: " + ", ".join(f"{name} {size:.0f}" for name, size in tables),
    ]


def _bytes(what: str, size: float) -> Pair:
    return Pair(what, "", f"{size:,.0f}", None, f"{_BYTES_GOAL}", size > _BYTES_GOAL)


def _shown(latency: Latency) -> str:
    return f"{latency.p50:.0f} / {latency.p99:.0f} ms"


def _pair(
    what: str, both: Sequence[float], form: str, goal: str = "", *, missed: bool = False, ratio: float | None = None
) -> Pair:
    """The `ratio` is that of `both`, unless it was found in another way."""
    small, large = both
    found = large / small if ratio is None and small else ratio
    return Pair(what, form.format(small), form.format(large), found, goal, missed)

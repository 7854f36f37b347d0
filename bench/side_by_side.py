"""Two shops on a shared machine, by turns: while one is measured the other one is stopped, and costs nothing."""

from __future__ import annotations

import math
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import cycle, islice
from pathlib import Path
from typing import Final, NamedTuple

from bench.buying import Bought, buy, orders_of
from bench.load import Request
from bench.progress import say
from bench.server import Server, running
from bench.shapes import PRODUCTS, UNITS
from bench.table import Pair
from entrypoints.contexts import NAMES

_SECONDS: Final = 3
_WARM_SECONDS: Final = 2
_TURNS: Final = 6
"""Of each of the two shops."""
_AWAKE_BEFORE: Final = 1.0  # seconds, in which it does what fell due while it was stopped


class Side(NamedTuple):
    """A shop: which code it runs, and how, and what goes on there meanwhile."""

    environment: Mapping[str, str]
    meanwhile: Callable[[Server], AbstractContextManager[object]] = nullcontext


class _Shop(NamedTuple):
    server: Server
    requests: Sequence[Request]


def compared(what: str, one: Side, other: Side, folder: Path, pairs: int) -> list[Pair]:
    """Each pair is of two new shops: of the same code, too, one is a few percent quicker for as long as it runs."""
    found: list[tuple[list[Bought], list[Bought]]] = []
    for number in range(pairs):
        say(f"{what}: pair {number + 1} of {pairs}")
        sides = (one, other) if number % 2 else (other, one)
        with _shop(sides[0], folder / "first") as first, _shop(sides[1], folder / "second") as second:
            shops, bought = (first, second), (list[Bought](), list[Bought]())
            for place in islice(cycle((0, 1, 1, 0)), 2 * _TURNS):
                bought[place].append(_alone(shops[place], shops[1 - place]))
        found.append(bought if number % 2 else bought[::-1])
    return [
        _pair(f"{what}: orders/s", found, lambda bought: bought.applied.rate),
        _pair(f"{what}: CPU an order, us", found, lambda bought: bought.cpu),
    ]


def _alone(shop: _Shop, other: _Shop) -> Bought:
    with other.server.stopped():
        time.sleep(_AWAKE_BEFORE)
        return buy(shop.server, shop.requests, _SECONDS)


@contextmanager
def _shop(side: Side, folder: Path) -> Iterator[_Shop]:
    shutil.rmtree(folder, ignore_errors=True)
    with running(folder, "ecshop", "up", "--port", "0", contexts=NAMES, **side.environment) as server:
        server.seed(PRODUCTS, UNITS)
        requests = orders_of(folder, range(1, PRODUCTS + 1))
        buy(server, requests, _WARM_SECONDS)
        with side.meanwhile(server):
            yield _Shop(server, requests)


def _pair(
    what: str, found: Sequence[tuple[Sequence[Bought], Sequence[Bought]]], figure: Callable[[Bought], float]
) -> Pair:
    """The means, and that of the ratios with its standard error."""
    means = [tuple(statistics.mean(map(figure, side)) for side in pair) for pair in found]
    one, other = (statistics.mean(side) for side in zip(*means, strict=True))
    ratios = [after / before for before, after in means]
    error = statistics.stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else None
    return Pair(what, f"{one:,.0f}", f"{other:,.0f}", statistics.mean(ratios), error=error)

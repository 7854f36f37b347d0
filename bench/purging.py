"""What it costs the orders that the shop forgets its old events meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from bench.buying import Bought, buy
from bench.load import Request
from bench.progress import say
from bench.server import Server
from bench.shapes import shop

_ROWS: Final = 500_000
_FEWEST_PAIRS, _MOST_PAIRS = 16, 32
_WARM, _ROUND = 3.0, 4.0  # seconds
_EVENTS_AN_ORDER: Final = 2  # that order has recorded, and that stock has applied
_PURGES: Final = {"ECSHOP_RETENTION_HOURS": "0.01"}
"""The shortest that can be set: all that the shop was filled with is older."""


class PurgeCost(NamedTuple):
    """Shares of what the orders have without it; `rows` are gone."""

    rate: float
    cpu: float
    rows: int


def cost_of_purge(large: Path, copy: Path, orders: Sequence[Request]) -> PurgeCost:
    """A copy loses its events, and not the shop itself. Both run, and are measured by turns, one while the other one is
    stopped: what the disk does meanwhile is the same for both.
    """
    shutil.copytree(large, copy)
    os.sync()
    with shop(large) as keeping, shop(copy, **_PURGES) as purging:
        for server in (keeping, purging):
            buy(server, orders, _WARM)
        before, ordered = purging.books.events(), 0
        pairs: list[tuple[Bought, Bought]] = []
        gone = 0
        while len(pairs) < _FEWEST_PAIRS or (gone < _ROWS and len(pairs) < _MOST_PAIRS):
            say(f"orders beside a purge and without one, turn {len(pairs) + 1}; {gone:,} rows are gone")
            pairs.append(_turn(keeping, purging, orders, purging_first=len(pairs) % 2 == 0))
            ordered += pairs[-1][1].applied.orders
            gone = before + _EVENTS_AN_ORDER * ordered - purging.books.events()
    rate = median(beside.applied.rate / without.applied.rate for without, beside in pairs)
    cpu = median(beside.cpu / without.cpu for without, beside in pairs)
    return PurgeCost(1 - rate, cpu - 1, gone)


def _turn(keeping: Server, purging: Server, orders: Sequence[Request], *, purging_first: bool) -> tuple[Bought, Bought]:
    """Without a purge, and beside one."""

    def alone(server: Server, other: Server) -> Bought:
        with _stopped(other):
            return buy(server, orders, _ROUND)

    if purging_first:
        beside = alone(purging, keeping)
        return alone(keeping, purging), beside
    return alone(keeping, purging), alone(purging, keeping)


@contextmanager
def _stopped(server: Server) -> Iterator[None]:
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)

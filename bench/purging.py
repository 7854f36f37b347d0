"""What it costs the orders that the shop forgets its old events meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Final, NamedTuple

from bench.buying import Bought, buy
from bench.load import Request
from bench.progress import say
from bench.server import Server
from bench.shapes import shop

_ROWS: Final = 500_000
_FEWEST_TURNS, _MOST_TURNS = 16, 32
_WARM, _ROUND = 3.0, 4.0  # seconds
_EVENTS_AN_ORDER: Final = 2  # that order has recorded, and that stock has applied
_PURGES: Final = {"ECSHOP_RETENTION_HOURS": "0.01"}
"""The shortest that can be set: all that the shop was filled with is older."""


class PurgeCost(NamedTuple):
    """Shares of what the orders have without it; `rows` are gone."""

    rate: float
    cpu: float
    rows: int


def cost_of_purge(large: Path, scratch: Path, orders: Sequence[Request]) -> PurgeCost:
    """Of two copies, since a copy is slower than what it was made of: 5 % of the orders. One loses its events.

    Both run, and are measured by turns, one while the other one is stopped: the disk is the same for both.
    """
    copies = scratch / "keeping", scratch / "purging"
    for copy in copies:
        shutil.copytree(large, copy)
    os.sync()
    with shop(copies[0]) as keeping, shop(copies[1], **_PURGES) as purging:
        for server in (keeping, purging):
            buy(server, orders, _WARM)
        before, ordered, gone = purging.books.events(), 0, 0
        without, beside = [_alone(keeping, purging, orders)], list[Bought]()
        while len(beside) < _FEWEST_TURNS or (gone < _ROWS and len(beside) < _MOST_TURNS):
            say(f"orders beside a purge and without one, turn {len(beside) + 1}; {gone:,} rows are gone")
            beside.append(_alone(purging, keeping, orders))
            without.append(_alone(keeping, purging, orders))
            ordered += beside[-1].applied.orders
            gone = before + _EVENTS_AN_ORDER * ordered - purging.books.events()
    rate = _compared([one.applied.rate for one in beside], [one.applied.rate for one in without])
    return PurgeCost(1 - rate, _compared([one.cpu for one in beside], [one.cpu for one in without]) - 1, gone)


def _compared(beside: Sequence[float], without: Sequence[float]) -> float:
    """Each turn with the mean of what was measured before it and after it."""
    return median(one / mean(around) for one, around in zip(beside, pairwise(without), strict=True))


def _alone(server: Server, other: Server, orders: Sequence[Request]) -> Bought:
    with other.stopped():
        return buy(server, orders, _ROUND)

"""What it costs the orders that the shop forgets its old events meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench.audit import Applied, Books
from bench.buying import buy
from bench.load import Request
from bench.progress import say
from bench.shapes import shop
from entrypoints.settings import Settings

_ROWS: Final = 500_000
_FEWEST_PAIRS, _MOST_PAIRS = 5, 8
_ROUND: Final = 8.0  # seconds
_EVENTS_AN_ORDER: Final = 2  # that order has recorded, and that stock has applied
_PURGES: Final = {"ECSHOP_RETENTION_HOURS": "0.01"}
"""The shortest that can be set, and less than it takes to come here: a shop begins to purge when it is started."""


def cost_of_purge(large: Path, copy: Path, orders: Sequence[Request]) -> tuple[float, int]:
    """The share of the orders' rate that it takes, and how many rows went; a copy loses them, and not the shop itself.

    Rounds with it and without follow each other, now one first and now the other, until enough rows are gone.
    """
    shutil.copytree(large, copy)
    books = Books(Settings(data_dir=str(copy)))
    ratios: list[float] = []
    gone = 0
    while len(ratios) < _FEWEST_PAIRS or (gone < _ROWS and len(ratios) < _MOST_PAIRS):
        say(f"orders beside a purge and without one; {gone:,} rows are gone")
        rates: dict[bool, float] = {}
        for purges in (len(ratios) % 2 == 1, len(ratios) % 2 == 0):
            before = books.events()
            applied = _round(copy, orders, **(_PURGES if purges else {}))
            rates[purges] = applied.rate
            gone += before + _EVENTS_AN_ORDER * applied.orders - books.events()
        ratios.append(rates[True] / rates[False])
    return 1 - median(ratios), gone


def _round(folder: Path, orders: Sequence[Request], **environment: str) -> Applied:
    """Of a shop that was just started."""
    with shop(folder, **environment) as server:
        return buy(server, orders, _ROUND).applied

"""What the databases say after a load: how many orders were applied, how late, and whether anything was oversold."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from bench.load import percentile

_DRAIN: Final = 30.0  # seconds
_CONFIRMED: Final = "ecshop.order.confirmed.v1"


class Applied(msgspec.Struct, frozen=True):
    """`rate` counts orders whose units have left the stock, from the first recorded to the last applied.

    The lag, in milliseconds, is from the moment an order's event is recorded, just before its commit, to the moment
    stock's transaction applies it, just before its own commit.
    """

    orders: int
    rate: float
    lag_p50: float
    lag_p99: float


def applied_since(folder: Path, moment: float) -> Applied:
    """Wait until every order since `moment` (seconds since 1970) is applied."""
    deadline = time.monotonic() + _DRAIN
    while time.monotonic() < deadline:
        recorded, applied = _times(folder, moment)
        if recorded.keys() <= applied.keys():
            break
        time.sleep(0.05)
    else:
        raise RuntimeError(f"{len(recorded.keys() - applied.keys())} events were not applied in {_DRAIN:.0f} s")
    lags = sorted((applied[event] - at) / 1000 for event, at in recorded.items())
    seconds = (max(applied[event] for event in recorded) - min(recorded.values())) / 1e6
    return Applied(len(recorded), len(recorded) / seconds, percentile(lags, 0.5), percentile(lags, 0.99))


def oversold_units(folder: Path, units: int, products: Collection[int] | None = None) -> int:
    """By how much what was sold and what is on hand differ from the registered `units`; 0 when all is well.

    Looks at `products`, or at all of them. Units that are still reserved count as a difference too.
    """
    with closing(_open(folder, "order")) as order, closing(_open(folder, "stock")) as stock:
        sold = dict(
            order.execute(
                "SELECT product_id, sum(quantity) FROM order_of_product JOIN orders ON orders.id = order_id"
                " WHERE status <> 'cancelled' GROUP BY product_id"
            )
        )
        items = stock.execute("SELECT product_id, on_hand, reserved FROM item").fetchall()
    return sum(
        abs(sold.get(product, 0) + on_hand - units) + reserved
        for product, on_hand, reserved in items
        if products is None or product in products
    )


def _times(folder: Path, moment: float) -> tuple[dict[str, int], dict[str, int]]:
    """When each event was recorded and applied, in microseconds since 1970."""
    since = int(moment * 1e6)
    with closing(_open(folder, "order")) as order, closing(_open(folder, "stock")) as stock:
        recorded = "SELECT event_id, recorded_at FROM outbox WHERE type = ? AND recorded_at >= ?"
        applied = "SELECT event_id, applied_at FROM inbox WHERE consumer = 'stock' AND applied_at >= ?"
        return dict(order.execute(recorded, (_CONFIRMED, since))), dict(stock.execute(applied, (since,)))


def _open(folder: Path, context: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{folder / context}.db?mode=ro", uri=True)

"""`python -m bench.limits`: what bounds an order, step by step. `docs/scaling.md` makes its model of it."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

from bench.batches import PRODUCTS, Cost, Orders
from bench.carrying import by_role, carried
from bench.postgres import VARIABLE, four_databases
from bench.progress import say
from entrypoints.settings import Settings

_SIZES: Final = (1, 8, 64, 256)


def _told(cost: Cost, size: int) -> str:
    wal = f", {cost.wal / size:,.0f} B" if cost.wal else ""
    return f"{cost.seconds * 1e3:.2f} ({cost.statements}{wal})"


def _show_batches(where: str, settings: Settings) -> None:
    say(f"batches of orders on {where}")
    steps = ("reserve", "record", "relay", "apply", "confirm")
    print(f"\n{where}: ms of a transaction (statements, bytes of WAL an order)\n")
    print(f"{'products':>8}  {'orders':>6}  " + "  ".join(f"{step:>19}" for step in steps) + "  stock's rows bear")
    with closing(Orders(settings)) as orders:
        for products in (1, PRODUCTS):
            for size in _SIZES:
                costs = orders.measure(products, size)
                told = [_told(one, size) for one in costs.values()]
                rate = size / (costs["reserve"].seconds + costs["apply"].seconds)
                print(f"{products:>8}  {size:>6}  " + "  ".join(f"{one:>19}" for one in told) + f"  {rate:>9,.0f}/s")
        if size_on_disk := orders.bytes_an_order():
            print(f"on disk, with what a VACUUM would give back: {size_on_disk:,.0f} B an order")


def main() -> None:
    postgres = os.environ.pop(VARIABLE, "")  # a shop refuses a variable that it does not know
    with tempfile.TemporaryDirectory(prefix="ecshop-limits-") as name:
        folder = Path(name)
        _show_batches("SQLite, FULL", Settings(data_dir=name))
        with four_databases(postgres) as databases:
            _show_batches(f"PostgreSQL {databases.version}", Settings(data_dir=name, database_url=databases.setting))
        for line in (*carried(folder, postgres), *by_role(folder, postgres)):
            print(line)


if __name__ == "__main__":
    main()

"""Commands for a shop to look at."""

from __future__ import annotations

from contextlib import suppress

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of
from entrypoints.contexts import NAMES


@click.group()
def demo() -> None:
    """Goods and customers, to see a shop at work."""


@demo.command()
@DATA_DIR
@report_errors
def fill(data_dir: str | None) -> None:
    """Put 24 products into a shop that has none and does not run."""
    from entrypoints.operations.demo import fill_apart

    made = fill_apart(settings_of("demo", data_dir=data_dir))
    print(f"{made} products are on the shelves" if made else "the shop has products already; nothing was changed")


@demo.command()
@click.argument("url", required=False)
@click.option("--rate", type=click.FloatRange(0.01, 1000), default=1.0, show_default=True, help="Orders a second.")
@click.option("--orders", type=click.IntRange(min=1), help="After how many it ends; else Ctrl-C ends it.")
@DATA_DIR
@report_errors
def traffic(url: str | None, rate: float, orders: int | None, data_dir: str | None) -> None:
    """Let customers come and buy in the shop at URL, or at ECSHOP_AUTH_URL and so on; what sells out is delivered anew.

    They are real accounts, whose names begin with demo-.
    """
    from ecshop.kernel.identity import Role
    from entrypoints.operations.tokens import local_token
    from entrypoints.operations.traffic import drive

    settings = settings_of(data_dir=data_dir)
    addresses = dict.fromkeys(NAMES, url) if url else settings.urls
    with suppress(KeyboardInterrupt):
        drive(addresses, lambda: local_token(settings, Role.STAFF), rate, lambda line: print(line, flush=True), orders)

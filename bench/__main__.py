"""`./dev bench`: one table, everything in it measured in the same run on the machine at hand."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bench import against, growth, shapes
from bench.fill import NoRoom
from bench.postgres import VARIABLE
from bench.server import UNBOUNDED
from bench.table import show_pairs, show_rows

_FEWEST: Final = 100


def main() -> None:
    wanted = _arguments()
    signal.signal(signal.SIGTERM, _stop)
    postgres = os.environ.pop(VARIABLE, "")  # a shop refuses a variable that it does not know
    if not (wanted.against or wanted.costs):
        os.environ.update(UNBOUNDED)
    with tempfile.TemporaryDirectory(prefix="ecshop-bench-") as folder:
        if wanted.growth:
            large = wanted.folder or Path(folder) / "large"
            try:
                pairs, notes = growth.measure(large, Path(folder), wanted)
            except (NoRoom, FileExistsError) as reason:
                sys.exit(f"bench: {reason}")
            show_pairs(pairs, notes)
        elif wanted.against:
            try:
                pairs = against.measure(wanted.against, Path(folder), wanted.pairs)
            except against.NoSuchCommit as reason:
                sys.exit(f"bench: {reason}")
            show_pairs(pairs, [], of=("there", "here"))
        elif wanted.costs:
            show_pairs(against.costs(Path(folder), wanted.pairs), [], of=("without", "with"))
        else:
            show_rows([*shapes.measure(Path(folder), postgres)])


def _arguments() -> growth.Wanted:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--growth", action="store_true", help="a small shop and a large one, side by side")
    large = parser.add_argument_group("with --growth")
    large.add_argument("--orders", type=_count, default=1_000_000, help="of the large shop [%(default)s]")
    large.add_argument("--products", type=_count, default=100_000, help="of the large shop [%(default)s]")
    large.add_argument("--minutes", type=float, default=1, help="of constant load on each [%(default)s]")
    large.add_argument("--folder", type=Path, help="keep the large shop here, and take the one that is there already")
    parser.add_argument("--against", metavar="COMMIT", help="the orders of this version and another one, by turns")
    parser.add_argument("--costs", action="store_true", help="what quotas, traces and open pages take of the orders")
    parser.add_argument("--pairs", type=int, default=6, help="with these: of how many pairs of shops [%(default)s]")
    return parser.parse_args(namespace=growth.Wanted())


def _count(text: str) -> int:
    count = int(text)
    if count < _FEWEST:
        raise argparse.ArgumentTypeError(f"{count} are too few to be measured, {_FEWEST} would do")
    return count


def _stop(*_: Any) -> None:
    """Whatever runs is ended on the way out."""
    sys.exit(128 + signal.SIGTERM)


main()

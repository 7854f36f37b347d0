"""`./dev bench --against COMMIT`: the orders of this version and of another, by turns, since the machine is shared."""

from __future__ import annotations

import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.buying import Bought, buy, orders_of
from bench.collector import collecting
from bench.progress import say
from bench.server import UNBOUNDED, running
from bench.shapes import PRODUCTS, UNITS
from bench.table import Pair
from entrypoints.contexts import NAMES

_HERE: Final = Path(__file__).parents[1]
_SECONDS: Final = 5
_SAMPLED: Final = "0.01"
_WIDE: Final = dict.fromkeys(UNBOUNDED, "1000000") | {"ECSHOP_LINE_UNITS": "10000"}
"""Quotas that are counted and that nobody reaches."""


class NoSuchCommit(Exception):
    """Git knows none of this name."""


Environment = Mapping[str, str]
"""Of a shop: which code it runs, and how."""


def measure(commit: str, folder: Path, pairs: int) -> list[Pair]:
    """This version beside another one, with quotas beside none, and traces of 1 % beside none.

    Raises `NoSuchCommit`.
    """
    here = _code_in(_HERE)
    with _checked_out(commit, folder / "source") as source, collecting() as collector:
        sampled = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER_ARG": _SAMPLED}
        return [
            *_compared(f"{commit}, and here", _code_in(source), here, folder, pairs),
            *_compared("here without quotas, and with them", here, here | _WIDE, folder, pairs),
            *_compared("here, and 1 % of the traces sampled", here, here | sampled, folder, pairs),
        ]


def _compared(what: str, one: Environment, other: Environment, folder: Path, pairs: int) -> list[Pair]:
    found: list[tuple[Bought, Bought]] = []
    for turn in range(pairs):
        say(f"{what}: pair {turn + 1} of {pairs}")
        in_turn = (one, other) if turn % 2 else (other, one)
        first, second = (
            _bought(environment, folder / f"{len(found)}-{place}") for place, environment in enumerate(in_turn)
        )
        found.append((first, second) if turn % 2 else (second, first))
    return [
        _pair(f"{what}: orders/s", [(one.applied.rate, other.applied.rate) for one, other in found]),
        _pair(f"{what}: CPU an order, us", [(one.cpu, other.cpu) for one, other in found]),
    ]


def _bought(environment: Environment, folder: Path) -> Bought:
    shutil.rmtree(folder, ignore_errors=True)
    command = ("ecshop", "up", "--port", "0")
    with running(folder, *command, contexts=NAMES, **environment) as server:
        server.seed(PRODUCTS, UNITS)
        requests = orders_of(folder, range(1, PRODUCTS + 1))
        buy(server, requests, 1)
        return buy(server, requests, _SECONDS)


def _pair(what: str, found: Sequence[tuple[float, float]]) -> Pair:
    """The medians, and that of the ratios."""
    one, other = (statistics.median(side) for side in zip(*found, strict=True))
    return Pair(what, f"{one:,.0f}", f"{other:,.0f}", statistics.median(after / before for before, after in found))


def _code_in(folder: Path) -> dict[str, str]:
    """A version that knows no quotas refuses their variables."""
    quotas = UNBOUNDED if (folder / "ecshop" / "order" / "quotas.py").exists() else {}
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(folder), **quotas}


@contextmanager
def _checked_out(commit: str, folder: Path) -> Iterator[Path]:
    git = ("git", "-C", str(_HERE), "worktree")
    done = subprocess.run([*git, "add", "--detach", folder, commit], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoSuchCommit(done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", folder], check=True, capture_output=True)

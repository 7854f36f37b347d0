"""`./dev bench --against COMMIT`, and `--costs`: what something takes of the orders, beside a shop without it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.collector import collecting
from bench.server import UNBOUNDED
from bench.side_by_side import Side, compared
from bench.table import Pair
from bench.watching import PAGES, watching

_HERE: Final = Path(__file__).parents[1]
_WIDE: Final = dict.fromkeys(UNBOUNDED, "1000000") | {"ECSHOP_LINE_UNITS": "10000"}
"""Quotas that are counted and that nobody reaches."""


class NoSuchCommit(Exception):
    """Git knows none of this name."""


def measure(commit: str, folder: Path, pairs: int) -> list[Pair]:
    """This version beside another one. Raises `NoSuchCommit`."""
    with _checked_out(commit, folder / "source") as source:
        return compared(f"{commit}, and here", _code_in(source), _code_in(_HERE), folder, pairs)


def costs(folder: Path, pairs: int) -> list[Pair]:
    """Quotas, traces and open pages, beside a shop that has none of these."""
    here = _code_in(_HERE)
    with collecting() as collector:
        sampled = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        sides = {
            "quotas": Side({**here.environment, **_WIDE}),
            "1 % of the traces": Side({**here.environment, **sampled, "OTEL_TRACES_SAMPLER_ARG": "0.01"}),
            "10 % of the traces": Side({**here.environment, **sampled, "OTEL_TRACES_SAMPLER_ARG": "0.1"}),
            f"{PAGES} open pages": Side(here.environment, watching),
        }
        return [pair for what, side in sides.items() for pair in compared(what, here, side, folder, pairs)]


def _code_in(folder: Path) -> Side:
    """A version that knows no quotas refuses their variables."""
    quotas = UNBOUNDED if (folder / "ecshop" / "order" / "quotas.py").exists() else {}
    return Side({"PYTHONSAFEPATH": "1", "PYTHONPATH": str(folder), **quotas})


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

"""The lines that the bench prints."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from os import cpu_count
from typing import Final

import msgspec

from bench import wrk
from bench.buying import BUYERS

_GOALS_FROM: Final = 10_900  # requests/s of the bare handler where the goals in ms and s were set


class Row(msgspec.Struct, frozen=True):
    """A line of the table; `share` is of the rate of the bare handler, where the line is of a rate."""

    what: str
    figure: str
    share: float | None = None
    goal: str = ""


class Pair(msgspec.Struct, frozen=True):
    """A line of the table of a small and a large shop; `missed` where the large one is not as good as the goal."""

    what: str
    small: str
    large: str
    ratio: float | None = None
    goal: str = ""
    missed: bool = False
    error: float | None = None
    """The standard error of the ratio."""

    @property
    def told_ratio(self) -> str:
        if self.ratio is None:
            return ""
        return f"{self.ratio:.2f}" if self.error is None else f"{self.ratio:.3f} ± {self.error:.3f}"


def show_rows(rows: Sequence[Row]) -> None:
    _show_machine()
    width = max(len(row.what) for row in rows)
    print(f"{'':<{width}}  {'figure':>12}  {'share':>6}  goal")
    for row in rows:
        share = "" if row.share is None else f"{100 * row.share:.0f} %"
        print(f"{row.what:<{width}}  {row.figure:>12}  {share:>6}  {row.goal}".rstrip())
    print(f"\nGoals in ms and s are those of a machine whose bare handler answers {_GOALS_FROM:,}/s.")


def show_pairs(pairs: Sequence[Pair], notes: Sequence[str], of: tuple[str, str] = ("small", "large")) -> None:
    _show_machine()
    width = max(len(pair.what) for pair in pairs)
    print(f"{'':<{width}}  {of[0]:>14}  {of[1]:>14}  {'ratio':>13}  goal")
    for pair in pairs:
        goal = f"{pair.goal}{', missed' if pair.missed else ''}"
        print(f"{pair.what:<{width}}  {pair.small:>14}  {pair.large:>14}  {pair.told_ratio:>13}  {goal}".rstrip())
    print("", *notes, sep="\n")


def _show_machine() -> None:
    machine = f"{platform.machine()}, {cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, {BUYERS} buyers, load from {'wrk' if wrk.is_installed() else 'bench/load.py'}\n")

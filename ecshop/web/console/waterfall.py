"""The life of an order on one axis: stretches of work share one scale, quiet time between them is folded.

All times are in milliseconds since the request began, all places in percent of the axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

QUIET: Final = 20.0
"""Milliseconds: where nothing is done for longer than that, the axis is folded."""
_FOLD: Final = 5.0
_MOST_FOLDED: Final = 60.0
_SHORTEST: Final = 0.45
_BETWEEN_LABELS: Final = 12.0
_TOLD_APART: Final = 1000.0
"""Milliseconds from which on a time is told by the second or less: there labels would say the same."""
_STEPS: Final = tuple(digit * 10.0**power for power in range(8) for digit in (1, 2, 5))

Kind = Literal["work", "failed", "idle", "missing"]


class Bar(NamedTuple):
    """Work that held, a try that failed, waiting, or what should be there and is not."""

    kind: Kind
    begin: float
    end: float


class Moment(NamedTuple):
    """What is marked through all rows."""

    at: float
    says: str


@dataclass(frozen=True)
class Row:
    """What one context did; `deep` tells how far under its cause it stands."""

    context: str
    says: str
    bars: Sequence[Bar]
    outcome: str
    deep: int = 0
    facts: Sequence[tuple[str, str]] = ()
    payload: Any = None
    is_open: bool = False

    @property
    def _work(self) -> Sequence[Bar]:
        return [bar for bar in self.bars if bar.kind != "idle"] or self.bars

    @property
    def began(self) -> float:
        return min(bar.begin for bar in self._work)

    @property
    def took(self) -> float:
        return sum(bar.end - bar.begin for bar in self._work)

    @property
    def waited(self) -> float:
        return sum(bar.end - bar.begin for bar in self.bars if bar.kind == "idle")

    @property
    def tries(self) -> int:
        return sum(bar.kind in ("failed", "work") for bar in self.bars)


class Stretch(NamedTuple):
    """`drawn` milliseconds are drawn of it: more than it took, where that was but a moment."""

    begin: float
    end: float
    drawn: float
    place: float
    width: float


class Fold(NamedTuple):
    place: float
    width: float
    milliseconds: float


class Label(NamedTuple):
    place: float
    milliseconds: float


@dataclass(frozen=True)
class Axis:
    stretches: Sequence[Stretch]
    folds: Sequence[Fold]
    labels: Sequence[Label] = field(default=())

    def place(self, at: float) -> float:
        for stretch in self.stretches:
            if at <= stretch.end:
                inside = max(at - stretch.begin, 0.0) / stretch.drawn
                return round(stretch.place + inside * stretch.width, 2)
        return 100.0

    def near_fold(self, place: float) -> bool:
        return any(abs(fold.place + fold.width / 2 - place) < _BETWEEN_LABELS * 2 / 3 for fold in self.folds)

    def line(self, bar: Bar) -> tuple[float, float]:
        """From where to where; what takes no time can be seen, too."""
        begin, end = self.place(bar.begin), self.place(bar.end)
        end = max(end, min(begin + _SHORTEST, 100.0))
        return min(begin, round(end - _SHORTEST, 2)) if bar.kind != "idle" else begin, end


def axis_of(rows: Sequence[Row]) -> Axis:
    spans = _busy([bar for row in rows for bar in row.bars])
    gaps = [later[0] - earlier[1] for earlier, later in pairwise(spans)]
    fold = min(_FOLD, _MOST_FOLDED / len(gaps)) if gaps else 0.0
    least = _least(spans)
    total = sum(max(end - begin, least) for begin, end in spans)
    scale = (100.0 - fold * len(gaps)) / total
    stretches: list[Stretch] = []
    folds: list[Fold] = []
    place = 0.0
    for (begin, end), gap in zip(spans, [*gaps, 0.0], strict=True):
        drawn = max(end - begin, least)
        width = drawn * scale
        stretches.append(Stretch(begin, end, drawn, place, width))
        place += width
        if gap:
            folds.append(Fold(round(place, 2), round(fold, 2), gap))
            place += fold
    return Axis(stretches, folds, tuple(_labels(stretches, scale)))


def _busy(bars: Sequence[Bar]) -> list[tuple[float, float]]:
    """When something was done, with pauses up to `QUIET`; waiting alone is quiet time."""
    points = [(bar.begin, bar.end) for bar in bars if bar.kind != "idle"]
    points += [(at, at) for bar in bars if bar.kind == "idle" for at in (bar.begin, bar.end)]
    spans: list[tuple[float, float]] = []
    for begin, end in sorted(points):
        if spans and begin - spans[-1][1] <= QUIET:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((begin, end))
    return spans or [(0.0, 1.0)]


def _least(spans: Sequence[tuple[float, float]]) -> float:
    """What a moment takes on the axis: a twentieth of all that is not folded."""
    return max(sum(end - begin for begin, end in spans) / 20, 0.5)


def _labels(stretches: Sequence[Stretch], scale: float) -> list[Label]:
    step = next((step for step in _STEPS if step * scale >= _BETWEEN_LABELS), _STEPS[-1])
    labels: list[Label] = []
    for stretch in (one for one in stretches if one.begin < _TOLD_APART):
        at = -(-stretch.begin // step) * step
        while at <= stretch.begin + stretch.drawn:
            place = round(stretch.place + (at - stretch.begin) * scale, 2)
            if not labels or place - labels[-1].place >= _BETWEEN_LABELS:
                labels.append(Label(place, at))
            at += step
    return labels

"""Charts as attributes of SVG: numbers become places in a box of 600 by 100, which the page stretches to its width."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

WIDE, HIGH = 600, 100
_LINES: Final = 3
"""Above the lowest one, which is 0."""
_ABOVE, _BELOW = 8, 18
"""Pixels of a chart that are not its box: half a line of text, and the labels."""
_GAP: Final = 2


class Line(NamedTuple):
    """Of the grid: what it stands for, and how many pixels from the top it is."""

    value: int
    y: float


class Bar(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class Chart(NamedTuple):
    """A frame of so many pixels, for numbers from 0 to its `top`."""

    height: int
    top: int

    @classmethod
    def of(cls, most: float, height: int) -> Chart:
        """With a grid of round numbers."""
        step = next(
            step for power in range(16) for step in (10**power, 2 * 10**power, 5 * 10**power) if step * _LINES >= most
        )
        return cls(height, step * _LINES)

    @property
    def box(self) -> int:
        """Its height, without what is above and below."""
        return self.height - _ABOVE - _BELOW

    @property
    def lines(self) -> list[Line]:
        values = (self.top * n // _LINES for n in range(_LINES + 1))
        return [self.line(value) for value in values]

    def line(self, value: int) -> Line:
        return Line(value, round(_ABOVE + self.box * (1 - value / self.top), 2))

    def place(self, value: float) -> float:
        """From the top of the box."""
        return round(HIGH * (1 - value / self.top), 2)

    def bars(self, values: Sequence[int]) -> list[Bar]:
        width = WIDE / max(1, len(values))
        return [
            Bar(round(n * width + _GAP / 2, 2), self.place(value), round(width - _GAP, 2), HIGH - self.place(value))
            for n, value in enumerate(values)
        ]

    def curve(self, values: Sequence[float | None]) -> str:
        """A path through all of them; it is interrupted where there is none, and one alone is as long as a step."""
        return "".join(self._paths(values))

    def area(self, values: Sequence[float | None]) -> str:
        """What is below the curve."""
        return "".join(filled(path) for path in self._paths(values))

    def _paths(self, values: Sequence[float | None]) -> list[str]:
        step = WIDE / max(1, len(values) - 1)
        places = [None if value is None else (n * step, self.place(value)) for n, value in enumerate(values)]
        return [_through([*filter(None, run)], step) for is_known, run in groupby(places, bool) if is_known]

    def stairs(self, steps: Sequence[tuple[float, int]]) -> str:
        """A path that keeps each number until the next one; places are from 0 to 1, in their order."""
        first, *rest = steps
        path = f"M{round(first[0] * WIDE, 2)} {self.place(first[1])}"
        return path + "".join(f"H{round(at * WIDE, 2)}V{self.place(value)}" for at, value in rest) + f"H{WIDE}"


def _through(places: Sequence[tuple[float, float]], step: float) -> str:
    if len(places) == 1:
        [(x, y)] = places
        begin = min(max(0, x - step / 2), WIDE - step)
        return f"M{round(begin, 2)} {y}h{round(step, 2)}"
    return "M" + "L".join(f"{round(x, 2)} {y}" for x, y in places)


class Spark(NamedTuple):
    """A curve without a frame, and what is below it."""

    curve: str
    area: str

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spark:
        chart = Chart.of(max((value for value in values if value), default=0), HIGH)
        return cls(chart.curve(values), chart.area(values))


def filled(path: str) -> str:
    """The area below a path that has no gaps."""
    begin = path.removeprefix("M").partition(" ")[0]
    return f"{path}V{HIGH}H{begin}z"

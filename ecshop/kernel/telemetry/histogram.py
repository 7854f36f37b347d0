"""Histograms of what the event loop alone observes: without locks one costs a sixth of prometheus-client's own."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

_INFINITE: Final = float("inf")


class Series:
    """What was observed under the same labels, by the bucket that it falls in."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._exemplars: list[Exemplar | None] = [None] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, amount: float, trace_id: str | None = None) -> None:
        """A trace is kept as the exemplar of its bucket."""
        bucket = bisect_left(self._bounds, amount)
        self._counts[bucket] += 1
        self._sum += amount
        if trace_id:
            self._exemplars[bucket] = Exemplar({"trace_id": trace_id}, amount, time.time())

    def tell(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        bounds = map(floatToGoString, (*self._bounds, _INFINITE))
        buckets = zip(bounds, accumulate(self._counts), self._exemplars, strict=True)
        family.add_metric(labels, [(up_to, n, seen) if seen else (up_to, n) for up_to, n, seen in buckets], self._sum)


class LoopHistogram(Collector):
    """A family of them; `bounds` are the upper ones of its buckets, ascending, without the infinite one."""

    def __init__(self, name: str, about: str, labels: Sequence[str], unit: str, bounds: Sequence[float]) -> None:
        self._about = (name, about, None, None, labels, unit)
        self._bounds = bounds
        self._series: dict[tuple[str, ...], Series] = {}

    def labels(self, *values: str) -> Series:
        """The same one for the same values."""
        return self._series.setdefault(values, Series(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(*self._about)
        for labels, series in sorted(self._series.items()):
            series.tell(family, labels)
        yield family

    def describe(self) -> Iterator[HistogramMetricFamily]:
        yield HistogramMetricFamily(*self._about)

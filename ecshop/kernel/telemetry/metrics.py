"""What a process counts, for Prometheus: under OpenTelemetry's names where its semantic conventions have one."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

from prometheus_client import CollectorRegistry, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ecshop.kernel.telemetry.histogram import LoopHistogram, Series

Look = Callable[[], Mapping[tuple[str, ...], float]]
"""Asked at each scrape: by the values of its labels, what there is."""
Observe = Callable[[int, float], None]
"""Told of each transaction: how many items it served, and how many seconds it took."""

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Those that OpenTelemetry advises for requests (semantic conventions, http.server.request.duration)."""
_SHORT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LAGS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
_ITEMS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER: Final = "_OTHER"
"""Of all other methods, as the semantic conventions have it: what clients invent makes no series."""


class Metrics:
    """The instruments of one process. No label is an id, so that their number does not grow."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more of each, of which nobody asks
        self._registry = CollectorRegistry()
        self._requests = LoopHistogram(
            "http_server_request_duration",
            "How long requests took that were answered, or that nobody waited for any more",
            ["http_request_method", "http_route", "http_response_status_code"],
            "seconds",
            _SECONDS,
        )
        self._answered: dict[tuple[str, str, int], Series] = {}
        self._transactions = Histogram(
            "db_client_operation_duration",
            "How long transactions took, by what the threads are for that they ran on",
            ["db_namespace", "db_operation_name"],
            unit="seconds",
            buckets=_SHORT_SECONDS,
            registry=self._registry,
        )
        self._items = Histogram(
            "ecshop_database_batch_items",
            "How many that waited for the same were served in one transaction",
            ["db_namespace", "db_operation_name"],
            buckets=_ITEMS,
            registry=self._registry,
        )
        self._lags = LoopHistogram(
            "ecshop_event_lag", "From an event's beginning until it was applied", ["consumer"], "seconds", _LAGS
        )
        for histogram in (self._requests, self._lags):
            self._registry.register(histogram)
        build = Gauge("ecshop_build_info", "What runs here", ["version", "python"], registry=self._registry)
        build.labels(version, platform.python_version()).set(1)

    def request(self, method: str, route: str, status: int, seconds: float, trace_id: str | None) -> None:
        """`route` is a template; a sampled trace is kept as an exemplar of its bucket."""
        key = (method, route, status)
        answered = self._answered.get(key)
        if answered is None:
            known = method if method in _METHODS else _OTHER
            answered = self._answered[key] = self._requests.labels(known, route, str(status))
        answered.observe(seconds, trace_id)

    def transactions(self, context: str, lane: str) -> Observe:
        seconds_of, items_of = self._transactions.labels(context, lane), self._items.labels(context, lane)

        def observe(items: int, seconds: float) -> None:
            seconds_of.observe(seconds)
            items_of.observe(items)

        return observe

    def lag(self, consumer: str) -> Callable[[float], None]:
        return self._lags.labels(consumer).observe

    def watch(
        self, kind: Literal["counter", "gauge"], name: str, about: str, labels: Sequence[str], look: Look
    ) -> None:
        """What is counted elsewhere anyhow, and looked at when somebody asks."""
        family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
        self._registry.register(_Watched(partial(family, name, about, labels=labels), look))

    def written(self, accept: str) -> tuple[bytes, str]:
        """As a scraper `accept`s it, and of which media type that is: exemplars are OpenMetrics' alone."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class _Watched(Collector):
    def __init__(self, family: Callable[[], Any], look: Look) -> None:
        self._family, self._look = family, look

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        for labels, value in self._look().items():
            family.add_metric(labels, value)
        yield family

    def describe(self) -> Iterator[Metric]:
        yield self._family()

"""What a process counts, for Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format (prometheus.io, exposition formats)."""


class Metrics:
    """Those of one process; no label is an id, so that their number does not grow."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._outbox = Gauge(
            "ecshop_outbox_events",
            "Events that are recorded and not heard by all their listeners: due ones, and published ones",
            ["context", "state"],
            registry=self._registry,
        )
        self._oldest = Gauge(
            "ecshop_outbox_unheard_seconds",
            "Since when the oldest event is published and not heard; 0 without any",
            ["context"],
            registry=self._registry,
        )

    def outbox(self, context: str, *, due: int, unheard: int, oldest_seconds: float) -> None:
        self._outbox.labels(context, "due").set(due)
        self._outbox.labels(context, "published").set(unheard)
        self._oldest.labels(context).set(oldest_seconds)

    def written(self) -> bytes:
        return generate_latest(self._registry)

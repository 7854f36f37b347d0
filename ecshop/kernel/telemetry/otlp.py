"""Sends spans to a collector, by OpenTelemetry's SDK and its protocol (OTLP over HTTP); it needs the extra `otel`."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from ecshop.kernel.telemetry.spans import Attributes, Kind
from ecshop.kernel.telemetry.trace import TraceContext

_PATH: Final = "/v1/traces"
_SEND_WITHIN: Final = 3.0  # seconds, tries included
_SEND_EVERY: Final = 1.0  # seconds
_FAREWELL: Final = 1.5  # seconds that the last spans have when the process ends
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class OtlpRecorder:
    """What cannot be sent is dropped: a collector that is away costs spans, and nothing else."""

    def __init__(self, endpoint: str, ratio: float, resource: Mapping[str, str]) -> None:
        """`resource` says which process this is, under OpenTelemetry's names."""
        self.ratio = ratio
        exporter = OTLPSpanExporter(endpoint.rstrip("/") + _PATH, timeout=_SEND_WITHIN)
        self._provider = TracerProvider(ALWAYS_ON, Resource.create(dict(resource)), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_SEND_EVERY * 1000))
        self._tracer = self._provider.get_tracer("ecshop")

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: TraceContext | None,
        links: Sequence[TraceContext],
        attributes: Attributes,
    ) -> _Recorded:
        began = self._tracer.start_span(
            name,
            set_span_in_context(NonRecordingSpan(_remote(parent))) if parent else None,
            _KINDS[kind],
            dict(attributes),
            [Link(_remote(one)) for one in links],
        )
        return _Recorded(began)

    def close(self) -> None:
        """Send what is left, unless that takes too long."""
        last = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(_FAREWELL)


class _Recorded:
    def __init__(self, span: Span) -> None:
        self._span = span
        own = span.get_span_context()
        self.context = TraceContext(f"{own.trace_id:032x}", f"{own.span_id:016x}", is_sampled=True)

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def link(self, to: TraceContext) -> None:
        self._span.add_link(_remote(to))

    def end(self, error: str) -> None:
        if error:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()


def _remote(context: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=flags)

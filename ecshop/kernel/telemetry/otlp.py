"""Sends spans to a collector, by OpenTelemetry's SDK and its protocol (OTLP over HTTP); it needs the extra `otel`."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from time import time_ns
from typing import Final

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from ecshop.kernel.telemetry.spans import Attributes, Kind
from ecshop.kernel.telemetry.trace import TraceContext, new_span_id, new_trace_id

_PATH: Final = "/v1/traces"
_SEND_WITHIN: Final = 3.0  # seconds, tries included
_SEND_EVERY: Final = 1.0  # seconds
_FAREWELL: Final = 1.5  # seconds that the last spans have when the process ends
_AT_ONCE: Final = 512  # spans that are sent before their time
_MOST: Final = 4 * _AT_ONCE
_SCOPE: Final = InstrumentationScope("ecshop")
_WELL: Final = Status(StatusCode.UNSET)
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}

log = structlog.get_logger("traces")


class OtlpRecorder:
    """What cannot be sent is dropped: a collector that is away costs spans, and nothing else.

    A span of the SDK's tracer takes long where few requests are sampled and its code is in no cache. Here a request
    notes what happened, and a thread makes spans of that, all of a second in a row.
    """

    def __init__(self, endpoint: str, ratio: float, resource: Mapping[str, str]) -> None:
        """`resource` says which process this is, under OpenTelemetry's names."""
        self.ratio = ratio
        self._exporter = OTLPSpanExporter(endpoint.rstrip("/") + _PATH, timeout=_SEND_WITHIN)
        self._resource = Resource.create(dict(resource))
        self._ended: deque[_Recorded] = deque(maxlen=_MOST)
        self._due = threading.Event()
        self._is_open = True
        self._sending = threading.Thread(target=self._send_on, name="spans", daemon=True)
        self._sending.start()

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: TraceContext | None,
        links: Sequence[TraceContext],
        attributes: Attributes,
    ) -> _Recorded:
        return _Recorded(self, name, kind, parent, links, attributes)

    def take(self, ended: _Recorded) -> None:
        self._ended.append(ended)
        if len(self._ended) >= _AT_ONCE:
            self._due.set()

    def close(self) -> None:
        """Send what is left, unless that takes too long."""
        self._is_open = False
        self._due.set()
        self._sending.join(_FAREWELL)

    def _send_on(self) -> None:
        while self._is_open:
            self._due.wait(_SEND_EVERY)
            self._due.clear()
            self._send()
        self._send()

    def _send(self) -> None:
        if len(self._ended) == _MOST:
            log.warning("spans are dropped: lower OTEL_TRACES_SAMPLER_ARG, or see whether the collector answers")
        ended = [self._ended.popleft().as_sdk(self._resource) for _ in range(len(self._ended))]
        if ended:
            self._exporter.export(ended)


class _Recorded:
    __slots__ = ("_attributes", "_began", "_ended", "_error", "_kind", "_links", "_name", "_parent", "_to", "context")

    def __init__(
        self,
        to: OtlpRecorder,
        name: str,
        kind: Kind,
        parent: TraceContext | None,
        links: Sequence[TraceContext],
        attributes: Attributes,
    ) -> None:
        self._to, self._name, self._kind, self._parent = to, name, kind, parent
        self._links, self._attributes, self._error = [*links], {**attributes}, ""
        self.context = TraceContext(parent.trace_id if parent else new_trace_id(), new_span_id(), is_sampled=True)
        self._began = self._ended = time_ns()

    def name(self, name: str) -> None:
        self._name = name

    def note(self, attributes: Attributes) -> None:
        self._attributes.update(attributes)

    def link(self, to: TraceContext) -> None:
        self._links.append(to)

    def end(self, error: str) -> None:
        self._ended, self._error = time_ns(), error
        self._to.take(self)

    def as_sdk(self, resource: Resource) -> ReadableSpan:
        return ReadableSpan(
            self._name,
            _as_sdk(self.context),
            _as_sdk(self._parent) if self._parent else None,
            resource,
            self._attributes,
            links=[Link(_as_sdk(one)) for one in self._links],
            kind=_KINDS[self._kind],
            status=Status(StatusCode.ERROR, self._error) if self._error else _WELL,
            start_time=self._began,
            end_time=self._ended,
            instrumentation_scope=_SCOPE,
        )


def _as_sdk(context: TraceContext) -> SpanContext:
    return SpanContext(int(context.trace_id, 16), int(context.span_id, 16), is_remote=True, trace_flags=_SAMPLED)

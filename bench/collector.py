"""Where traces are sent to: a collector that keeps them, and shows one as a tree (OTLP over HTTP, in protobuf)."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

_KINDS: Final = {
    Span.SPAN_KIND_INTERNAL: "internal",
    Span.SPAN_KIND_SERVER: "server",
    Span.SPAN_KIND_CLIENT: "client",
    Span.SPAN_KIND_PRODUCER: "producer",
    Span.SPAN_KIND_CONSUMER: "consumer",
}


class Collected(NamedTuple):
    """A span; `links` are the ids of spans in other traces."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    began: int
    """In nanoseconds, as `ended`."""
    ended: int
    attributes: dict[str, Any]
    links: tuple[str, ...]
    failed: bool


class Collector:
    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Collected] = []

    def trace_with(self, name: str, value: str) -> list[Collected]:
        """All spans of the trace in which one has this attribute, the earliest first; empty where there is none."""
        ids = {span.trace_id for span in self.spans if span.attributes.get(name) == value}
        return sorted((span for span in self.spans if span.trace_id in ids), key=lambda span: span.began)


@contextmanager
def collecting() -> Iterator[Collector]:
    """At a free port."""
    collector = Collector()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, collector))
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tree(trace: Sequence[Collected]) -> list[str]:
    """A line for each span, under its parent; times are from the beginning of the trace, and how long it took."""
    began = min(span.began for span in trace)
    known = {span.span_id for span in trace}
    roots = [span for span in trace if span.parent_id not in known]
    return [line for root in roots for line in _branch(trace, root, began, "")]


def _branch(trace: Sequence[Collected], span: Collected, began: int, indent: str) -> Iterator[str]:
    at, took = (span.began - began) / 1e6, (span.ended - span.began) / 1e6
    links = f", {len(span.links)} linked" if span.links else ""
    yield f"{at:8.1f} ms {took:8.1f} ms  {span.service:<8} {indent}{span.name}  ({span.kind}{links})"
    for child in trace:
        if child.parent_id == span.span_id:
            yield from _branch(trace, child, began, f"{indent}  ")


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, collector: Collector, *request: Any) -> None:
        self._collector = collector
        super().__init__(*request)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self._collector.spans += _spans_in(body)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def _spans_in(body: bytes) -> Iterator[Collected]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _values(of_resource.resource.attributes)["service.name"]
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Collected(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    service,
                    span.name,
                    _KINDS[span.kind],
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    _values(span.attributes),
                    tuple(link.span_id.hex() for link in span.links),
                    span.status.code == Status.STATUS_CODE_ERROR,
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}

"""Log lines for Cloud Logging: its own fields, and the trace that a request is part of."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from ecshop.kernel.telemetry.cloud_logging import cloud_logging
from ecshop.kernel.telemetry.trace import context_in

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACED = {"trace_id": ID, "span_id": SPAN, "sampled": True}
REQUEST: dict[str, Any] = {
    "event": "request",
    "method": "POST",
    "path": "/orders",
    "status": 201,
    "ms": 12.3,
    "client": "203.0.113.7",
}


def line(level: str = "info", fields: dict[str, Any] | None = None, project: str = "shop", **event: Any) -> Any:
    written = cloud_logging(project, lambda: fields)(None, level, event)
    assert isinstance(written, bytes)
    return json.loads(written)


@pytest.mark.parametrize(
    ("level", "severity"),
    [("debug", "DEBUG"), ("info", "INFO"), ("warning", "WARNING"), ("error", "ERROR"), ("critical", "CRITICAL")],
)
def test_each_level_is_a_severity(level: str, severity: str) -> None:
    assert line(level, event="it happened")["severity"] == severity


def test_what_happened_is_the_message_and_all_else_stays_a_field() -> None:
    told = line(event="event received", event_id=UUID(int=7), attempt=2)
    assert told.pop("time").endswith("Z")
    assert told == {
        "severity": "INFO",
        "message": "event received",
        "event_id": str(UUID(int=7)),
        "attempt": 2,
    }


def test_a_request_is_an_http_request() -> None:
    told = line(**REQUEST, request_id="r1", code="x")
    assert told["message"] == "POST /orders 201"
    assert told["httpRequest"] == {
        "requestMethod": "POST",
        "requestUrl": "/orders",
        "status": 201,
        "latency": "0.0123s",
        "remoteIp": "203.0.113.7",
    }
    assert (told["request_id"], told["code"]) == ("r1", "x")
    assert "method" not in told


def test_a_request_that_got_no_answer_has_no_status() -> None:
    told = line(**{**REQUEST, "status": "gone", "client": None})
    assert told["message"] == "POST /orders gone"
    assert told["httpRequest"].keys() == {"requestMethod", "requestUrl", "latency"}


def test_a_traceback_is_where_error_reporting_looks() -> None:
    try:
        raise ValueError("boom")
    except ValueError as error:
        told = line("error", event="failed", exc_info=error)
    assert "ValueError: boom" in told["stack_trace"]
    assert told["message"] == "failed"


@pytest.mark.parametrize("own", [TRACED, {}])
def test_a_line_is_under_the_trace_of_its_request(own: dict[str, Any]) -> None:
    told = line(fields=None if own else dict(TRACED), event="something", **own)
    assert told["logging.googleapis.com/trace"] == f"projects/shop/traces/{ID}"
    assert told["logging.googleapis.com/spanId"] == SPAN
    assert told["logging.googleapis.com/trace_sampled"] is True


@pytest.mark.parametrize("project", ["", "shop"])
def test_without_a_trace_or_a_project_there_is_none(project: str) -> None:
    told = line(fields={} if project else dict(TRACED), project=project, event="something")
    assert not [name for name in told if name.startswith("logging.googleapis.com/")]


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"traceparent": f"00-{ID}-{SPAN}-01"}, TRACED),
        ({"traceparent": f"00-{ID}-{SPAN}-00"}, {**TRACED, "sampled": False}),
        ({"traceparent": f"cc-{ID}-{SPAN}-01-what-the-future-brings"}, TRACED),
        ({"x-cloud-trace-context": f"{ID}/67667974448284343;o=1"}, TRACED),
        ({"x-cloud-trace-context": f"{ID}/1"}, {**TRACED, "span_id": f"{1:016x}", "sampled": False}),
        ({"x-cloud-trace-context": ID}, {"trace_id": ID, "sampled": False}),
        ({"x-cloud-trace-context": f"{ID}/0;o=1"}, {"trace_id": ID, "sampled": True}),
        ({"traceparent": "nonsense", "x-cloud-trace-context": f"{ID}/67667974448284343;o=1"}, TRACED),
        ({"traceparent": f"ff-{ID}-{SPAN}-01"}, {}),
        ({"traceparent": f"00-{ID}-{'0' * 16}-01"}, {}),
        ({"x-cloud-trace-context": f"{'f' * 32}/1;o=1", "traceparent": f"00-{ID}-{SPAN}-01"}, TRACED),
        ({"x-cloud-trace-context": f"{ID}/67667974448284343;o=1", "traceparent": "nonsense"}, TRACED),
        ({"traceparent": f"00-{'0' * 32}-{SPAN}-01"}, {}),
        ({"traceparent": f"00-{ID.upper()}-{SPAN}-01"}, {}),
        ({"x-cloud-trace-context": f"{ID}x/1"}, {}),
        ({"x-cloud-trace-context": f"{ID}/{'9' * 40}"}, {}),
        ({"traceparent": ""}, {}),
        ({}, {}),
    ],
)
def test_a_trace_is_read_as_w3c_and_as_google_write_it(headers: dict[str, str], fields: dict[str, Any]) -> None:
    context = context_in([(name.encode(), value.encode()) for name, value in headers.items()])
    assert (context.fields if context else {}) == fields

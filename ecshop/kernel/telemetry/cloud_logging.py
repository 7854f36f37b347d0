"""Log lines as Cloud Logging reads them from a container's output, with the special fields of its structured logs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog

_SEVERITIES: Final = {"warn": "WARNING", "exception": "ERROR"}
"""Those that are not the name of structlog's method."""
_IN_FIELDS: Final = "logging.googleapis.com/"


def cloud_logging(project: str, fields_of_request: Callable[[], dict[str, Any] | None]) -> structlog.typing.Processor:
    """A line of the `project`'s log; without one its lines are not joined with traces.

    `fields_of_request` are those of the request being served, for a line that is about something in it.
    """

    def as_line(_: Any, method: str, event: structlog.typing.EventDict) -> bytes:
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(_, method, event)
        trace = event if "trace_id" in event else fields_of_request() or {}
        line = {"severity": _SEVERITIES.get(method, method.upper()), "time": datetime.now(UTC), **_message(event)}
        if project and "trace_id" in trace:
            line[f"{_IN_FIELDS}trace"] = f"projects/{project}/traces/{trace['trace_id']}"
            line[f"{_IN_FIELDS}trace_sampled"] = trace["sampled"]
            if "span_id" in trace:
                line[f"{_IN_FIELDS}spanId"] = trace["span_id"]
        return msgspec.json.encode({**line, **event}, enc_hook=str)

    return as_line


def _message(event: structlog.typing.EventDict) -> dict[str, Any]:
    """Error Reporting looks for the traceback in `stack_trace`."""
    line: dict[str, Any] = {"message": event.pop("event", "")}
    if "exception" in event:
        line["stack_trace"] = event.pop("exception")
    if line["message"] == "request" and "method" in event:
        line["message"] = f"{event['method']} {event['path']} {event['status']}"
        line["httpRequest"] = _http_request(event)
    return line


def _http_request(event: structlog.typing.EventDict) -> dict[str, Any]:
    found = {
        "requestMethod": event.pop("method"),
        "requestUrl": event.pop("path"),
        "latency": f"{event.pop('ms') / 1000:.4f}s",
    }
    status, client = event.pop("status"), event.pop("client", None)
    if isinstance(status, int):
        found["status"] = status
    if client:
        found["remoteIp"] = client
    return found

"""Logs: for a person on a terminal, JSON for everything else; and what a line says of the request that it is about."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, TextIO, cast
from uuid import UUID

import msgspec
import structlog

from ecshop.kernel.telemetry.cloud_logging import cloud_logging
from ecshop.kernel.telemetry.log_file import LogFile
from ecshop.kernel.telemetry.log_writer import LogWriter
from ecshop.kernel.telemetry.trace import trace

LogForm = Literal["auto", "console", "json", "google"]
"""`auto` is JSON unless on a terminal, `google` JSON as Cloud Logging reads it."""

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The id of the request being served; it travels in X-Request-ID to the services that it calls."""

request_fields: Final[ContextVar[dict[str, Any] | None]] = ContextVar("request_fields", default=None)
"""What the log line of the request being served says besides; None outside of a request."""


_ESCAPED: Final = {number: f"\\x{number:02x}" for number in (*range(0x20), *range(0x7F, 0xA0))}
"""Control characters (Unicode, Cc)."""


def annotate(**fields: Any) -> None:
    """Add fields to the log line of the request being served; without a request it does nothing."""
    known = request_fields.get()
    if known is not None:
        known.update(fields)


def configure_logging(form: LogForm = "auto", *, project: str = "", kept_in: Path | None = None) -> None:
    """Log to standard output; `project` is the one on Google Cloud whose traces the lines are of.

    They are `kept_in` a file besides, as JSON.
    """
    if form == "auto":
        form = "console" if sys.stdout.isatty() else "json"
    writer = LogWriter(getattr(sys.stdout.buffer, "raw", sys.stdout.buffer))
    file = LogWriter(LogFile(kept_in)) if kept_in else None
    structlog.configure(
        processors=_processors(form, project, file),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, writer))
        if form == "console"
        else lambda *_: _Lines(writer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forwarding()])


def _processors(form: LogForm, project: str, file: LogWriter | None) -> list[structlog.typing.Processor]:
    kept = [_kept_in(file)] if file else []
    if form == "console":
        return [
            *kept,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("%H:%M:%S.%f", utc=False),
            _readable,
            structlog.dev.ConsoleRenderer(
                pad_event_to=8, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    return [*kept, cloud_logging(project, request_fields.get) if form == "google" else _as_json]


def _kept_in(file: LogWriter) -> structlog.typing.Processor:
    def keep(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        file.write(_as_json(logger, method, {**event}) + b"\n")
        return event

    return keep


class _Lines:
    """Where structlog puts a line of JSON."""

    def __init__(self, writer: LogWriter) -> None:
        self._write = writer.write

    def msg(self, line: bytes) -> None:
        self._write(line + b"\n")

    debug = info = warning = error = critical = exception = msg


def _as_json(_: Any, method: str, event: structlog.typing.EventDict) -> bytes:
    """What structlog's own processors would make in four steps: half the time. The time is as RFC 3339 has it."""
    event["level"] = method
    event["timestamp"] = datetime.now(UTC)
    if "request_id" not in event:
        _name_its_cause(event)
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(_, method, event)
    return msgspec.json.encode(event, enc_hook=str)


def _name_its_cause(event: structlog.typing.EventDict) -> None:
    """The request and the trace that a line is about which does not say so itself."""
    if own := request_id.get():
        event["request_id"] = own
    if context := trace.get():
        event.update(context.fields)


def _readable(_: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Ids as they are written, nothing of who asked, and nothing that a terminal would obey."""
    event.pop("client", None)
    return {name: _shown(value) for name, value in event.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.translate(_ESCAPED) if isinstance(value, str) else value


class _Forwarding(logging.Handler):
    """What libraries log by the standard library goes the same way as everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(
            record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )

"""One line a request, one line an event: for a person on a terminal, JSON for everything else."""

from __future__ import annotations

import logging
import re
import sys
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import IO, Any, BinaryIO, Final, TextIO, cast

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The id of the request being served; it travels in X-Request-ID to the services that it calls."""

log = structlog.get_logger("http")

_LONGEST_PATH: Final = 300
_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def configure_logging(*, json: bool | None = None) -> None:
    """Log to standard output; `json=None` means JSON unless that is a terminal."""
    as_json = not sys.stdout.isatty() if json is None else json
    first: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper("iso" if as_json else "%H:%M:%S.%f", utc=as_json),
    ]
    if as_json:
        structlog.configure(
            processors=[*first, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, _Unfailing(sys.stdout.buffer))),
            cache_logger_on_first_use=True,
        )
    else:
        structlog.configure(
            processors=[
                *first,
                structlog.dev.ConsoleRenderer(
                    pad_event_to=8, sort_keys=False, exception_formatter=structlog.dev.plain_traceback
                ),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Unfailing(sys.stdout))),
            cache_logger_on_first_use=True,
        )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(name)s: %(message)s")


class _Unfailing:
    """Where logs go; a full disk or a reader that went away costs log lines, and nothing else."""

    def __init__(self, file: IO[Any]) -> None:
        self._file = file

    def write(self, line: Any) -> int:
        with suppress(OSError, ValueError):
            return self._file.write(line)
        return 0

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()


def _json(event: dict[str, Any], **_: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


class RequestLog:
    """ASGI middleware: gives each request an id, answers with it, and logs the request when it is done."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        own_id = _id_of(scope)
        token = request_id.set(own_id)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", own_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            request_id.reset(token)
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"][:_LONGEST_PATH],
                status=status or "gone",
                ms=round((time.perf_counter() - started) * 1000, 1),
                request_id=own_id,
            )


def _id_of(scope: Any) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return str(uuid7())

"""One line a request, and the id by which its answer, its log and its events are joined."""

from __future__ import annotations

import re
import time
from typing import Any, Final

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from ecshop.kernel.telemetry.logs import annotated, request_id

log = structlog.get_logger("http")

_LONGEST_PATH: Final = 300
_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


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

        with annotated() as annotations:
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
                    **annotations,
                )


def _id_of(scope: Any) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return str(uuid7())

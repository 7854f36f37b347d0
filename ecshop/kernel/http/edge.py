"""The outermost layer: request ids and the log, HEAD, clients that go away, and errors that nobody else has handled."""

from __future__ import annotations

import time
from typing import Final

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, ReceiveMessage, Scope, Send

from ecshop.kernel.errors import EcshopError, Internal
from ecshop.kernel.http.problems import FAILED, MEDIA_TYPE, to_problem
from ecshop.kernel.http.request_log import log_request, request_id_of
from ecshop.kernel.telemetry.logs import annotate, request_fields, request_id

log = structlog.get_logger("http")

_HEAD: Final = "HEAD"


class ClientGone(EcshopError, code="client.gone", status=499):
    """The client closed the connection before its request was complete; nobody reads this answer."""


class Edge:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started, status, complete = time.perf_counter(), 0, False
        is_head = scope["method"] == _HEAD
        own_id = request_id_of(scope)
        own_fields: dict[str, object] = {}
        id_before, fields_before = request_id.set(own_id), request_fields.set(own_fields)

        async def hear() -> ReceiveMessage:
            nonlocal complete
            message = await receive()
            if message["type"] == "http.disconnect" and not complete:
                raise ClientGone
            complete = complete or not message.get("more_body", False)
            return message

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", own_id.encode())]
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        try:
            await self._app({**scope, "method": "GET"} if is_head else scope, hear, answer)
        except Exception as error:
            log.error(FAILED, path=scope["path"], request_id=own_id, exc_info=error)
            if status:
                raise
            await _send_problem(Internal(), own_id, answer)
        finally:
            request_id.reset(id_before)
            request_fields.reset(fields_before)
            log_request(scope, status, started, own_id, own_fields)


async def _send_problem(error: EcshopError, request_id: str, send: Send) -> None:
    annotate(code=error.code)
    body = msgspec.json.encode(to_problem(error, request_id))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})

"""The outermost layer: HEAD as GET without a body, clients that go away, and errors that nobody else has handled."""

from __future__ import annotations

from typing import Final

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, ReceiveMessage, Scope, Send

from ecshop.kernel.errors import EcshopError, Internal
from ecshop.kernel.http.problems import FAILED, MEDIA_TYPE, to_problem
from ecshop.kernel.telemetry.logs import annotate, request_id

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
        is_head, started, complete = scope["method"] == _HEAD, False, False

        async def hear() -> ReceiveMessage:
            nonlocal complete
            message = await receive()
            if message["type"] == "http.disconnect" and not complete:
                raise ClientGone
            complete = complete or not message.get("more_body", False)
            return message

        async def answer(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            if is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        inner: Scope = {**scope, "method": "GET"} if is_head else scope
        try:
            await self._app(inner, hear, answer)
        except Exception as error:
            log.error(FAILED, path=scope["path"], request_id=request_id.get(), exc_info=error)
            if started:
                raise
            await _send_problem(Internal(), answer)


async def _send_problem(error: EcshopError, send: Send) -> None:
    annotate(code=error.code)
    body = msgspec.json.encode(to_problem(error, request_id.get()))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})

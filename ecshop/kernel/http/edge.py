"""The outermost layer: request ids, deadlines and the log, HEAD, and what nobody else has handled."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, ReceiveMessage, Scope, Send

from ecshop.kernel.deadline import Deadline, deadline
from ecshop.kernel.errors import Aborted, EcshopError, Internal, Unavailable
from ecshop.kernel.http.headers import client_of, header
from ecshop.kernel.http.problems import FAILED, MEDIA_TYPE, RETRY_AFTER, to_problem
from ecshop.kernel.http.request_log import log_request, request_id_of
from ecshop.kernel.http.safety import with_safety
from ecshop.kernel.telemetry.logs import annotate, request_fields, request_id
from ecshop.kernel.telemetry.spans import SERVER_ERROR, Span, served_span
from ecshop.kernel.telemetry.trace import TraceContext, context_in, trace

log = structlog.get_logger("http")

DEADLINE: Final = "ecshop.deadline"
"""The key of a request's scope under which a server finds whom to tell that the client has gone."""
PATIENCE: Final = "x-request-timeout-ms"
"""The header in which a caller says how long it waits; more than the shop's own limit counts for nothing."""
_PATIENCE: Final = PATIENCE.encode()
_MILLISECONDS: Final = re.compile(r"[0-9]{1,9}")
_HEAD: Final = "HEAD"
_HEALTH: Final = "/health/"
_LOOK_EVERY: Final = 0.25  # seconds
_NO_ROUTE: Final = ""
"""Of a request that no route takes: its path is the client's own word."""

Observe = Callable[[str, str, int, float, Any], None]
"""Told of each request: its method, route, status and seconds, and its trace where that is sampled."""


class ClientGone(EcshopError, code="client.gone", status=499):
    """The client closed the connection before its request was complete; nobody reads this answer."""


class Edge:
    """ASGI middleware around the whole app.

    What waits keeps the deadline by itself; whatever does not is cancelled soon after it, and answered all the same.
    """

    def __init__(self, app: ASGIApp, request_seconds: float, max_requests: int, observe: Observe | None = None) -> None:
        self._app, self._request_seconds, self._observe = app, request_seconds, observe
        self._max_requests = max_requests
        self._served: dict[asyncio.Task[object], Deadline] = {}
        self._is_looking = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started, status, complete = time.perf_counter(), 0, False
        is_head = scope["method"] == _HEAD
        inside: Any = {**scope, "method": "GET"} if is_head else scope
        own_id = request_id_of(scope)
        span, own_trace = _traced(scope)
        own_fields = {"client": client_of(scope), **(own_trace.fields if own_trace else {})}
        task, until = self._watch(scope)
        id_before, fields_before = request_id.set(own_id), request_fields.set(own_fields)
        deadline_before, trace_before = deadline.set(until), trace.set(own_trace)

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
                message["headers"] = with_safety(message["headers"], own_id, scope.get("scheme", ""))
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        try:
            await self._app_for(scope)(inside, hear, answer)
        except asyncio.CancelledError:
            if not status:
                await _send_problem(Unavailable(self._why_cancelled(until)), own_id, answer)
        except Exception as error:
            log.error(FAILED, route=inside.get("path_template", _NO_ROUTE), request_id=own_id, exc_info=error)
            if status:
                raise
            await _send_problem(Internal(), own_id, answer)
        finally:
            self._served.pop(task, None)
            deadline.reset(deadline_before)
            trace.reset(trace_before)
            request_id.reset(id_before)
            request_fields.reset(fields_before)
            seconds, route = time.perf_counter() - started, inside.get("path_template", _NO_ROUTE)
            log_request(scope, route, status, seconds, own_id, own_fields)
            if span.context:
                _end(span, scope, route, status or ClientGone.status, own_id, own_fields)
            if self._observe:
                sampled = own_fields.get("trace_id") if own_fields.get("sampled") else None
                self._observe(scope["method"], route, status or ClientGone.status, seconds, sampled)

    def _app_for(self, scope: Scope) -> ASGIApp:
        """Under too much load what is new is refused, and what has begun goes on; who asks for health gets it."""
        is_full = len(self._served) > self._max_requests and not scope["path"].startswith(_HEALTH)
        return _refuse if is_full else self._app

    def _patience(self, scope: Scope) -> float:
        given = header(scope, _PATIENCE)
        if given is not None and _MILLISECONDS.fullmatch(given):
            return min(self._request_seconds, int(given) / 1000)
        return self._request_seconds

    def _watch(self, scope: Any) -> tuple[asyncio.Task[object], Deadline]:
        """The request's own task, and how long it has."""
        until = scope[DEADLINE] = Deadline(self._patience(scope))
        task = asyncio.current_task()
        assert task is not None
        if not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)
        self._served[task] = until
        return task, until

    def _look(self) -> None:
        moment = time.monotonic()
        for task, until in list(self._served.items()):
            if until.ends + _LOOK_EVERY < moment:
                del self._served[task]
                task.cancel()
        self._is_looking = bool(self._served)
        if self._is_looking:
            asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)

    def _why_cancelled(self, until: Deadline) -> str:
        if until.left > 0:
            return "the shop is stopping; try again"
        most = f"at most {self._request_seconds:g} s"
        return f"it did not end in its time, {most}; try again, an order with its Idempotency-Key"


async def _refuse(_: Scope, _receive: Receive, send: Send) -> None:
    await _send_problem(Aborted("too much is being done already; try again"), request_id.get(), send)


def _traced(scope: Scope) -> tuple[Span, TraceContext | None]:
    """The span of a request, and what that is done for it is part of: where it is not sampled, its caller's."""
    caller = context_in(scope["headers"])
    span = served_span(caller)
    return span, span.context or caller


def _end(span: Span, scope: Any, route: str, status: int, own_id: str, fields: Mapping[str, Any]) -> None:
    """Under the names of OpenTelemetry's semantic conventions, where these have one."""
    span.name(f"{scope['method']} {route}".rstrip())
    told = {f"ecshop.{name}": str(fields[name]) for name in ("order_id", "code") if name in fields}
    of_http = {
        "http.request.method": scope["method"],
        "http.response.status_code": status,
        "url.path": scope["path"] if route else "",
    }
    span.note({**of_http, "http.route": route, "ecshop.request_id": own_id, **told})
    span.end(str(status) if status >= SERVER_ERROR else "")


async def _send_problem(error: EcshopError, request_id: str, send: Send) -> None:
    annotate(code=error.code)
    body = msgspec.json.encode(to_problem(error, request_id))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    if isinstance(error, Unavailable):
        headers.append((b"retry-after", RETRY_AFTER.encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})

"""What the server itself answers, before any app is asked: a problem like every other."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast

import msgspec
import structlog
from uuid_utils import uuid7
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ecshop.kernel.errors import MalformedRequest
from ecshop.kernel.http.edge import DEADLINE
from ecshop.kernel.http.problems import MEDIA_TYPE, to_problem

log = structlog.get_logger("http")


class Connections(ServerState):
    """All that are open; while they are drained, each of them ends with the answer to its last request."""

    is_draining = False


class OneWrite:
    """A transport that holds the head of an answer back until its body follows, which nearly always is at once: one
    system call an answer instead of two.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""

    def write(self, data: bytes) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._held = data
            self._loop.call_soon(self._let_go)

    def close(self) -> None:
        self._let_go()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _let_go(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)


class ProblemProtocol(HttpToolsProtocol):
    """httptools parses requests as uvicorn has it do; what is none is refused as a problem.

    When a client goes away its request's time is over: what it asked for and has not begun is not done.
    """

    def __init__(self, config: Config, server_state: Connections, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all = server_state
        self._last: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        one_write = OneWrite(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(cast(asyncio.Transport, one_write))

    @property
    def is_idle(self) -> bool:
        """Whether it is open, and no request is being read or answered."""
        if self.cycle is None:
            return self.scope is None and not self.transport.is_closing()
        is_reading = self.scope is not self.cycle.scope
        return self.cycle.response_complete and not is_reading and not self.transport.is_closing()

    def shutdown(self) -> None:
        """Whoever waits for an answer gets it, and reads in its head that it is the last one."""
        if self.cycle is not None and not self.cycle.response_started:
            self._end_with(self.cycle)

    def hurry(self) -> None:
        """What has been asked for here has no more time to begin."""
        if self.cycle is not None and not self.cycle.response_complete and DEADLINE in self.cycle.scope:
            cast(Any, self.cycle.scope)[DEADLINE].shorten(0)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._all.is_draining:
            self._end_with(self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and DEADLINE in cycle.scope:
            cast(Any, cycle.scope)[DEADLINE].give_up()
        super().connection_lost(exc)

    def _end_with(self, cycle: RequestResponseCycle) -> None:
        """A pipelined request that comes in before the answer of the one that was to be the last takes its place."""
        if self._last is not None and not self._last.response_started:
            self._last.keep_alive = True
        self._last = cycle if cycle.keep_alive else None
        cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        request_id = str(uuid7())
        error = MalformedRequest("the request is not HTTP as RFC 9112 has it")
        body = msgspec.json.encode(to_problem(error, request_id))
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
            f"content-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
        log.info("request", status=error.status, code=error.code, request_id=request_id)

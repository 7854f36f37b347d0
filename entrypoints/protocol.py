"""What the server itself answers, before any app is asked: a problem like every other."""

from __future__ import annotations

import asyncio
import re
from enum import Enum
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
import structlog
from uuid_utils import uuid7
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ecshop.kernel.errors import Aborted, EcshopError, HeadTooLarge, MalformedRequest, RequestTooSlow
from ecshop.kernel.http.edge import DEADLINE
from ecshop.kernel.http.problems import MEDIA_TYPE, RETRY_AFTER, to_problem
from ecshop.kernel.http.safety import HTTPS_ONLY, NO_STORE, NOSNIFF, NOTHING
from entrypoints.connections import Connections

log = structlog.get_logger("http")

_SAFETY: Final = (
    f"x-content-type-options: {NOSNIFF}\r\ncontent-security-policy: {NOTHING}\r\ncache-control: {NO_STORE}\r\n"
)
_LARGEST_HEAD: Final = 16 * 1024  # bytes
_MOST_HEADERS: Final = 100
_HOST: Final = re.compile(
    rb"(?:[\w.~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])"
    rb"(?::(?:\d{0,4}|[0-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5]))?"
)
"""A name or an address, and a port (RFC 3986, section 3.2): others make something of what they do not understand."""
_LINGER: Final = 1.0  # seconds in which whoever is refused can read why, before its connection is reset


class Phase(Enum):
    """What a connection waits for."""

    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    IDLE = "idle"


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

    def write_eof(self) -> None:
        self._let_go()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:  # TLS has no half-closed connections
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
        self._whole: object = None
        self._seen: tuple[Phase, object] = (Phase.HEAD, None)
        self._since = self.loop.time()
        self._unparsed = 0
        self._is_refused = False
        self._stalled_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        one_write = OneWrite(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(cast(asyncio.Transport, one_write))
        if not self._all.admit(self):
            self._refuse(Aborted("as many are connected as can be served; try again"))

    def data_received(self, data: bytes) -> None:
        """A head, and whatever else is no body, is parsed up to its bound: what follows is not even looked at."""
        while data and not self._is_refused and not self.transport.is_closing():
            some, data = data[:_LARGEST_HEAD], data[_LARGEST_HEAD:]
            self._unparsed += len(some)
            super().data_received(some)
            if self._unparsed >= _LARGEST_HEAD:
                self._refuse(HeadTooLarge())

    @property
    def is_idle(self) -> bool:
        """Whether it is open, and no request is being read or answered."""
        if self.cycle is None:
            return self.scope is None and not self.transport.is_closing()
        is_reading = self.scope is not self.cycle.scope
        return self.cycle.response_complete and not is_reading and not self.transport.is_closing()

    def waited(self, moment: float) -> float | None:
        seen = self._phase, self.scope
        if self._is_paused or seen[0] is not self._seen[0] or seen[1] is not self._seen[1]:
            self._seen, self._since = seen, moment
        return None if seen[0] is Phase.ANSWER else moment - self._since

    def look(self, moment: float) -> None:
        bounds, waited = self._all.bounds, self.waited(moment) or 0.0
        if self._is_stalled(moment):
            self.transport.abort()
        elif self._phase is Phase.HEAD and waited > bounds.head_seconds:
            self._refuse(RequestTooSlow(f"the head of a request comes within {bounds.head_seconds:g} s"))
        elif self._phase is Phase.BODY and waited > bounds.body_seconds:
            self._refuse(RequestTooSlow(f"the body of a request comes within {bounds.body_seconds:g} s"))
        elif self._phase is Phase.IDLE and waited > bounds.idle_seconds:
            self.transport.close()

    def drop(self) -> None:
        self.connections.discard(self)
        self.transport.abort()

    def shutdown(self) -> None:
        """Whoever waits for an answer gets it, and reads in its head that it is the last one."""
        if self.cycle is not None and not self.cycle.response_started:
            self._end_with(self.cycle)

    def hurry(self) -> None:
        """What has been asked for here has no more time to begin."""
        if self.cycle is not None and not self.cycle.response_complete and DEADLINE in self.cycle.scope:
            cast(Any, self.cycle.scope)[DEADLINE].shorten(0)

    def on_headers_complete(self) -> None:
        self._unparsed = 0
        if len(self.headers) > _MOST_HEADERS:
            raise HeadTooLarge
        if not _is_unambiguous(self.headers, self.parser.get_http_version()):
            raise MalformedRequest
        super().on_headers_complete()
        if self._all.is_draining:
            self._end_with(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._whole = self.scope
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._give_up()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What the parser, or a look at what it found, has refused."""
        is_long = self.headers is not None and len(self.headers) > _MOST_HEADERS
        self._refuse(HeadTooLarge() if is_long else MalformedRequest("the request is not HTTP as RFC 9112 has it"))

    @property
    def _phase(self) -> Phase:
        """Of the request that came last."""
        if self.cycle is None or self.cycle.scope is not self.scope:
            return Phase.HEAD
        if self._whole is not self.scope:
            return Phase.BODY
        return Phase.IDLE if self.cycle.response_complete else Phase.ANSWER

    @property
    def _is_paused(self) -> bool:
        """Whether it is us who do not read."""
        return self.flow is not None and self.flow.read_paused

    def _is_stalled(self, moment: float) -> bool:
        """Whether the client has not read what it was sent for as long as it might take to send a body."""
        if not self.transport.get_write_buffer_size():
            self._stalled_since = None
        elif self._stalled_since is None:
            self._stalled_since = moment
        return self._stalled_since is not None and moment - self._stalled_since > self._all.bounds.body_seconds

    def _end_with(self, cycle: RequestResponseCycle) -> None:
        """A pipelined request that comes in before the answer of the one that was to be the last takes its place."""
        if self._last is not None and not self._last.response_started:
            self._last.keep_alive = True
        self._last = cycle if cycle.keep_alive else None
        cycle.keep_alive = False

    def _refuse(self, error: EcshopError) -> None:
        """Nothing more is read. What was asked for before on the same connection is answered, and it ends with that."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        client = self.client[0] if self.client else None
        request_id = str(uuid7())
        log.info("request", status=error.status, code=error.code, request_id=request_id, client=client)
        is_own = self.cycle is not None and self.scope is self.cycle.scope
        is_answered = self.cycle is None or self.cycle.response_complete
        if not is_answered and (not is_own or self.pipeline):
            self._end_with(self.cycle)
        elif is_own and self.cycle.response_started:
            self.transport.abort()
        else:
            self._give_up()
            self.transport.write(_answer(error, request_id, self.scheme))
            self.transport.write_eof()
            self.loop.call_later(_LINGER, self.transport.abort)

    def _give_up(self) -> None:
        """Nobody waits any more for what was asked for last."""
        if self.cycle is not None and not self.cycle.response_complete:
            if DEADLINE in self.cycle.scope:
                cast(Any, self.cycle.scope)[DEADLINE].give_up()
            self.cycle.disconnected = True
            self.cycle.message_event.set()


def _is_unambiguous(headers: list[tuple[bytes, bytes]], version: str) -> bool:
    """One valid Host, which HTTP/1.0 may lack (RFC 9112, section 3.2), and no second one who asks."""
    hosts = [value for name, value in headers if name == b"host"]
    if not hosts and version == "1.0":
        return True
    tokens = [value for name, value in headers if name == b"authorization"]
    return len(hosts) == 1 and len(tokens) <= 1 and _HOST.fullmatch(hosts[0]) is not None


def _answer(error: EcshopError, request_id: str, scheme: str | None) -> bytes:
    body = msgspec.json.encode(to_problem(error, request_id))
    https_only = f"strict-transport-security: {HTTPS_ONLY}\r\n" if scheme == "https" else ""
    retry = f"retry-after: {RETRY_AFTER}\r\n" if isinstance(error, Aborted) else ""
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
        f"content-type: {MEDIA_TYPE}\r\n"
        f"content-length: {len(body)}\r\n"
        f"x-request-id: {request_id}\r\n"
        f"{retry}"
        f"{_SAFETY}{https_only}"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body

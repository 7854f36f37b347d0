"""The only place that knows how a client call becomes an HTTP request."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol, TypeVar, cast

import httpx
import msgspec
import structlog

from ecshop.kernel.deadline import deadline
from ecshop.kernel.errors import (
    Aborted,
    EcshopError,
    Forbidden,
    MethodNotAllowed,
    NoSuchPath,
    Unauthenticated,
    Unavailable,
)
from ecshop.kernel.http.edge import PATIENCE
from ecshop.kernel.http.problems import from_problem
from ecshop.kernel.http.strict import BYTES, JSON
from ecshop.kernel.telemetry.logs import request_id
from ecshop.kernel.telemetry.spans import outgoing_traceparent, span

T = TypeVar("T")


class Credentials(Protocol):
    def __call__(self, rejected: str = "") -> Awaitable[str]:
        """The access token that a call goes out with; another one than that which was `rejected`, if there is any."""
        ...


log = structlog.get_logger("remote")

_OUR_FAULT: Final = (Unauthenticated, Forbidden, NoSuchPath, MethodNotAllowed)
_IDEMPOTENT: Final = frozenset({"GET", "PUT", "DELETE"})
_REPEATABLE: Final = "ecshop.repeatable"
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_MOST_WAITING: Final = 1000
_LONGEST: Final = 5.0  # seconds that a call may take
_CONNECT: Final = 1.0


class Remote:
    """Sends a struct, reads a struct, raises the error that the other side raised.

    A call whose repeat changes nothing is tried twice, since a kept connection may have been closed meanwhile. What
    was not answered in time, or is answered by something that is no ecshop service, is `Unavailable`; what was never
    sent is `Aborted`.
    """

    def __init__(self, http: httpx.AsyncClient, credentials: Credentials | None = None) -> None:
        self._http, self._credentials = http, credentials
        self._waiting = 0
        self.calls = self.requests = 0
        """How many of both there were: several calls may share a request."""

    async def call(
        self,
        method: str,
        path: str,
        returns: type[T],
        body: object = None,
        *,
        params: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> T:
        """Bytes are sent, and read, as they are.

        `token` stands in for this client's own credentials: the call is then made in its holder's name.

        A `repeatable` one may come twice whatever its method is.
        """
        self.calls += 1
        own_name = token is None and self._credentials is not None
        if token is None and self._credentials:
            token = await self._credentials()
        request = self._http.build_request(
            method,
            path,
            params=params,
            data=form,
            content=body if body is None or isinstance(body, bytes) else msgspec.json.encode(body),
            headers={
                "x-request-id": request_id.get(),
                **({} if form else {"content-type": BYTES if isinstance(body, bytes) else JSON}),
                **({"authorization": f"Bearer {token}"} if token else {}),
                **(headers or {}),
            },
        )
        request.extensions[_REPEATABLE] = repeatable or method in _IDEMPOTENT
        reply = await self._send(request)
        if reply.status_code == Unauthenticated.status and token and self._credentials and own_name:
            renewed = await self._credentials(rejected=token)
            if renewed != token:
                request.headers["authorization"] = f"Bearer {renewed}"
                reply = await self._send(request)
        if reply.is_error:
            error = _error_in(reply)
            raise self._refused(error) if own_name and isinstance(error, _OUR_FAULT) else error
        if returns is bytes:
            return cast(T, reply.content)
        try:
            return msgspec.json.decode(reply.content or b"null", type=returns)
        except msgspec.DecodeError as cause:
            raise Unavailable(f"{request.url} answered something else than {returns}") from cause

    def _refused(self, error: EcshopError) -> Unavailable:
        """The other side refuses this service, which is nothing that the service's own caller could mend."""
        log.error("a neighbour refuses this service", url=str(self._http.base_url), code=error.code, error=error.detail)
        return Unavailable("a service of the shop is not set up right; its log has the cause")

    async def _send(self, request: httpx.Request) -> httpx.Response:
        if self._waiting >= _MOST_WAITING:
            raise Aborted(f"too much waits for {_peer(request)}; try again in a moment")
        self._waiting += 1
        self.requests += 1
        try:
            with span(request.method, "client") as own:
                if traceparent := outgoing_traceparent():
                    request.headers["traceparent"] = traceparent
                reply = await self._send_in_time(request)
                own.note({"url.full": str(request.url), "http.response.status_code": reply.status_code})
                return reply
        finally:
            self._waiting -= 1

    async def _send_in_time(self, request: httpx.Request) -> httpx.Response:
        _limit(request)
        try:
            return await self._http.send(request)
        except httpx.TransportError as cause:
            if request.extensions[_REPEATABLE] and not isinstance(cause, httpx.TimeoutException):
                try:
                    return await self._http.send(request)
                except httpx.TransportError as again:
                    cause = again
            failed = Aborted if isinstance(cause, _NEVER_SENT) else Unavailable
            raise failed(f"{_peer(request)} does not answer; try again") from cause


def _limit(request: httpx.Request) -> None:
    """Give the call what is left of its caller's time, and say so to the other side."""
    seconds = min(_LONGEST, deadline.get().left)
    if seconds <= 0:
        raise Aborted("its time was over; try again")
    request.extensions["timeout"] = {
        "connect": min(_CONNECT, seconds),
        "read": seconds,
        "write": seconds,
        "pool": seconds,
    }
    request.headers[PATIENCE] = str(int(seconds * 1000))


def _peer(request: httpx.Request) -> str:
    return f"{request.url.host}:{request.url.port}"


def _error_in(reply: httpx.Response) -> EcshopError:
    try:
        return from_problem(msgspec.json.decode(reply.content, type=dict[str, Any]))
    except msgspec.DecodeError:
        return Unavailable(f"{reply.url} answered {reply.status_code} without a problem body")

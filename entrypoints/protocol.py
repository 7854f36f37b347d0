"""What the server itself answers, before any app is asked: a problem like every other."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

import msgspec
import structlog
from uuid_utils import uuid7
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ecshop.kernel.errors import MalformedRequest
from ecshop.kernel.http.edge import DEADLINE
from ecshop.kernel.http.problems import MEDIA_TYPE, to_problem

log = structlog.get_logger("http")


class ProblemProtocol(HttpToolsProtocol):
    """httptools parses requests as uvicorn has it do; what is none is refused as a problem.

    When a client goes away its request's time is over: what it asked for and has not begun is not done.
    """

    def connection_lost(self, exc: Exception | None) -> None:
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and DEADLINE in cycle.scope:
            cast(Any, cycle.scope)[DEADLINE].give_up()
        super().connection_lost(exc)

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

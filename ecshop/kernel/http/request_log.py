"""One line a request, and the id by which its answer, its log and its events are joined."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import structlog
from litestar.types import Scope
from uuid_utils import uuid7

from ecshop.kernel.http.headers import header
from ecshop.kernel.http.problems import LONGEST_PATH

log = structlog.get_logger("http")

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> str:
    """The id that the client has given, where it is a sane one, else a new one."""
    given = header(scope, b"x-request-id")
    return given if given is not None and _SANE_ID.fullmatch(given) else str(uuid7())


def log_request(
    scope: Any, route: str, status: int, seconds: float, request_id: str, fields: Mapping[str, Any]
) -> None:
    """`status` is 0 for a request that got no answer. A path without a route is the client's own word, and not told."""
    log.info(
        "request",
        method=scope["method"],
        path=scope["path"][:LONGEST_PATH] if route else "",
        status=status or "gone",
        ms=round(seconds * 1000, 1),
        request_id=request_id,
        **fields,
    )

"""Errors as problems (RFC 9457): how one is written, how one is read again, and what becomes of all the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.handlers import HTTPRouteHandler

from ecshop.kernel.errors import (
    BodyTooLarge,
    EcshopError,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchPath,
    Unauthenticated,
    Unavailable,
)
from ecshop.kernel.http.methods import allow
from ecshop.kernel.telemetry.logs import annotate, request_id
from ecshop.kernel.validation import merged, wrong

log = structlog.get_logger("http")

MEDIA_TYPE: Final = "application/problem+json"
LONGEST_PATH: Final = 300
"""How much of a path is said back and logged."""
FAILED: Final = "the shop failed"
RETRY_AFTER: Final = "1"
"""Seconds until it is worth another try (RFC 9110, section 10.2.3)."""
_STANDARD: Final = {"type", "title", "status", "detail", "code", "request_id"}


def to_problem(error: EcshopError, request_id: str) -> dict[str, Any]:
    """The body of an error answer: RFC 9457, with the error's own fields as extension members."""
    return {
        "type": f"urn:ecshop:problem:{error.code}",
        "title": error.title(),
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        **error.fields,
    }


def from_problem(problem: Mapping[str, Any]) -> EcshopError:
    """The error that `to_problem` rendered; an unknown code becomes `Unavailable`."""
    known = EcshopError.known.get(str(problem.get("code")))
    detail = str(problem.get("detail", ""))
    if known is None or known is Internal:
        return Unavailable(detail)
    return known(detail, **{name: value for name, value in problem.items() if name not in _STANDARD})


def render(_: Request[Any, Any, Any], error: EcshopError) -> Response[dict[str, Any]]:
    annotate(code=error.code)
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    elif "retry_after" in error.fields:
        headers["retry-after"] = str(error.fields["retry_after"])
    elif isinstance(error, Unavailable):
        headers["retry-after"] = RETRY_AFTER
    return Response(
        to_problem(error, request_id.get()), status_code=error.status, headers=headers, media_type=MEDIA_TYPE
    )


def render_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    response = render(request, _from_litestar(request, error))
    if allowed := (error.headers or {}).get("allow"):
        response.headers["allow"] = allow(allowed.split(", "))
    return response


def render_unknown(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    return render(request, _unknown(request, error))


def _from_litestar(request: Request[Any, Any, Any], error: HTTPException) -> EcshopError:
    path = request.scope["path"][:LONGEST_PATH]
    match error:
        case ValidationException():
            return _invalid(error)
        case NotFoundException():
            return NoSuchPath(f"nothing is served at {path}; see /docs")
        case MethodNotAllowedException():
            return MethodNotAllowed(f"{path} is not served with {request.method}")
        case HTTPException(status_code=413):
            most: int = cast(HTTPRouteHandler, request.scope["route_handler"]).resolve_request_max_body_size() or 0
            return BodyTooLarge(f"the body is larger than {most // 1024} KiB")
        case HTTPException(status_code=status) if status < Internal.status:
            return (
                wrong("Host", "must be the name of a host")
                if error.detail == "Invalid host header"
                else InvalidRequest(error.detail, errors=[])
            )
        case _:
            return _unknown(request, error)


def _invalid(error: ValidationException) -> InvalidRequest:
    """What `parameters` and `strict` have let pass: a body that is missing as a whole, or a bug of ours."""
    found = error.extra if isinstance(error.extra, list) else []
    fields = [str(one.get("key", "")) for one in found]
    if "data" in fields:
        return wrong("body", "is required")
    return merged([wrong(field, str(one.get("message", ""))) for field, one in zip(fields, found, strict=True)])


def _unknown(request: Request[Any, Any, Any], error: Exception) -> Internal:
    log.error(FAILED, path=request.scope["path"], request_id=request_id.get(), exc_info=error)
    return Internal()

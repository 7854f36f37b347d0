"""A Litestar app out of some contexts: their routes, their errors as problems, health and documentation."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import structlog
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from litestar.types import ASGIApp

from ecshop.kernel.body import NO_NUL, StrictBody
from ecshop.kernel.context import Context
from ecshop.kernel.docs import VariadicTuples, assets, openapi
from ecshop.kernel.errors import (
    MEDIA_TYPE,
    BodyTooLarge,
    EcshopError,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchPath,
    Unauthenticated,
    to_problem,
)
from ecshop.kernel.identity import Verifier
from ecshop.kernel.migration import newest_version, schema_version
from ecshop.kernel.observability import RequestLog, request_id
from ecshop.kernel.operation import operation

log = structlog.get_logger("http")

MAX_BODY: Final = 64 * 1024
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


class NotReady(EcshopError, code="health.not_ready", status=503):
    """A database does not answer or is not at the schema version that the code expects."""


def create_app(
    contexts: Sequence[Context[Any]], verifier: Verifier, *, with_internal: bool, lifespan: Sequence[Lifespan] = ()
) -> ASGIApp:
    """Serve the contexts' public routes, and the internal ones when each context is a service of its own."""
    routes = [route for context in contexts for route in context.public]
    if with_internal:
        routes += [route for context in contexts for route in context.internal]
    names = [context.name for context in contexts]
    app = Litestar(
        [*routes, live, _readiness(contexts), assets()],
        before_request=_strict_query,
        dto=StrictBody,
        plugins=[VariadicTuples()],
        exception_handlers={EcshopError: _render, HTTPException: _render_http, Exception: _render_unknown},
        lifespan=list(lifespan),
        logging_config=None,
        openapi_config=openapi(
            f"ecshop: {names[0]}" if len(names) == 1 else "ecshop",
            "An order system that never sells what it does not have.",
            {name: f"The {name} context" for name in names} | {"health": "Is this process alive, and is it ready?"},
        ),
        request_max_body_size=MAX_BODY,
        state=State({"verifier": verifier}),
    )
    return RequestLog(app)


@get("/health/live", tags=["health"], **operation("Is the process alive?"))
async def live() -> dict[str, str]:
    """Touches nothing."""
    return {"status": "alive"}


def _readiness(contexts: Sequence[Context[Any]]) -> Any:
    expected = {context.name: newest_version(context.migrations) for context in contexts}

    @get("/health/ready", tags=["health"], **operation("Can the process serve?", NotReady))
    async def ready() -> dict[str, str]:
        """Asks each database of this process for its schema version."""
        for context in contexts:
            found = await context.database.read(lambda session: schema_version(session.connection()))
            if found != expected[context.name]:
                raise NotReady(
                    f"{context.name}: schema {found}, expected {expected[context.name]}; run `ecshop migrate`"
                )
        return {"status": "ready"}

    return ready


_WHOLE: Final = re.compile(r"-?[0-9]+")


async def _strict_query(request: Request[Any, Any, Any]) -> None:
    """No 3.0 for 3, nothing twice: Litestar converts leniently, and takes the last of two."""
    if not request.scope["query_string"]:
        return
    for name, field in request.route_handler.parsed_fn_signature.parameters.items():
        key = getattr(field.kwarg_definition, "query", None) or name
        values = request.query_params.getall(key, [])
        if len(values) > 1 and not field.is_non_string_collection:
            raise InvalidRequest(f"{key}: is given more than once", errors=[{"field": key, "message": "twice"}])
        whole = int in (field.annotation, *field.args)
        if whole and any(not _WHOLE.fullmatch(value) for value in values):
            raise InvalidRequest(f"{key}: Expected `int`", errors=[{"field": key, "message": "Expected `int`"}])
        if any("\0" in value for value in values):
            raise InvalidRequest(f"{key}: {NO_NUL}", errors=[{"field": key, "message": NO_NUL}])


def _render(_: Request[Any, Any, Any], error: EcshopError) -> Response[dict[str, Any]]:
    headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
    return Response(
        to_problem(error, request_id.get()), status_code=error.status, headers=headers, media_type=MEDIA_TYPE
    )


def _render_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    response = _render(request, _from_litestar(request, error))
    if allow := (error.headers or {}).get("allow"):
        response.headers["allow"] = allow
    return response


def _from_litestar(request: Request[Any, Any, Any], error: HTTPException) -> EcshopError:
    match error:
        case ValidationException():
            return _invalid(error)
        case NotFoundException():
            return NoSuchPath(f"nothing is served at {request.url.path}; see /docs")
        case MethodNotAllowedException():
            return MethodNotAllowed(f"{request.url.path} is not served with {request.method}")
        case HTTPException(status_code=413):
            return BodyTooLarge(f"the body is larger than {MAX_BODY // 1024} KiB")
        case HTTPException(status_code=status) if status < Internal.status:
            return InvalidRequest(error.detail)
        case _:
            return _unknown(request, error)


def _invalid(error: ValidationException) -> InvalidRequest:
    found = error.extra if isinstance(error.extra, list) else []
    errors = [{"field": str(one.get("key", "")), "message": str(one.get("message", ""))} for one in found]
    if any(one["field"] == "data" for one in errors):
        return InvalidRequest("a JSON body is required", errors=[{"field": "body", "message": "is required"}])
    told = "; ".join(f"{one['field']}: {one['message']}" for one in errors)
    return InvalidRequest(told or re.sub(r" for (GET|POST|PUT|DELETE) \S+$", "", error.detail), errors=errors)


def _render_unknown(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    return _render(request, _unknown(request, error))


def _unknown(request: Request[Any, Any, Any], error: Exception) -> Internal:
    log.error("the shop failed", path=request.url.path, request_id=request_id.get(), exc_info=error)
    return Internal("the shop failed; its log has the cause under this request id")

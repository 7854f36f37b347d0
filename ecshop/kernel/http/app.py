"""A Litestar app out of routes and health probes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, ControllerRouterHandler

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.http.docs import pages
from ecshop.kernel.http.edge import Edge, Observe
from ecshop.kernel.http.health import Measure, Probe, Report, health, live, metrics, readiness
from ecshop.kernel.http.messages import MAX_BODY, JsonResponse, WholeRequest
from ecshop.kernel.http.methods import answer_options
from ecshop.kernel.http.openapi import VariadicTuples, openapi
from ecshop.kernel.http.operation import ADMITS, Admission
from ecshop.kernel.http.parameters import check_parameters
from ecshop.kernel.http.problems import render, render_http, render_unknown
from ecshop.kernel.http.strict import StrictBody
from ecshop.kernel.tokens import Verifier

AnyRequest = Request[Any, Any, Any]

_ABOUT: Final = """An order system that never sells what it does not have.

Every error is a problem (RFC 9457) with a stable `code`. Every answer has an `X-Request-ID`; one that is sent along is
taken over. What an operation does not know, a parameter or a field, it refuses. A path at which nothing is served is
`http.not_found`, a failure of the shop itself `internal`.

Every request is answered in its time, at the latest by a 503 with a `Retry-After`. After `aborted` nothing was changed,
after `unavailable` nobody knows. Send orders, and whatever makes or moves something, with an `Idempotency-Key`: a
repeat is then safe, and answered the same for seven days. Send the `ETag` of what you have seen as `If-Match`, and
nothing is changed that somebody else has changed since."""


def create_app(
    routes: Sequence[ControllerRouterHandler],
    probes: Mapping[str, Probe],
    report: Report,
    measure: Measure,
    verifier: Verifier,
    *,
    title: str,
    tags: Mapping[str, str],
    request_seconds: float,
    max_requests: int,
    with_services: bool = False,
    with_docs: bool = True,
    with_front: bool = True,
    observe: Observe | None = None,
) -> ASGIApp:
    """Serve the routes, documented under `tags`, and health: what all `probes` say, and besides the `report`.

    `measure` is asked at `/metrics`.

    No request takes longer than `request_seconds`, and no more than `max_requests` are served at a time. `observe` is
    told of each.

    `with_services` documents how services prove themselves, for an app whose routes ask them to. Without docs
    nothing tells a stranger what is served. With a front of its own `/` leads to them.
    """
    app = Litestar(
        [
            *routes,
            health,
            live,
            readiness(probes, report),
            metrics(measure),
            *(pages(with_front=with_front) if with_docs else ()),
        ],
        before_request=_gate(verifier),
        dto=StrictBody,
        plugins=[VariadicTuples()],
        exception_handlers={EcshopError: render, HTTPException: render_http, Exception: render_unknown},
        logging_config=None,
        request_class=WholeRequest,
        response_class=JsonResponse,
        openapi_config=openapi(title, _ABOUT, tags, with_services) if with_docs else None,
        request_max_body_size=MAX_BODY,
    )
    return Edge(app, request_seconds, max_requests, observe)


def _gate(verifier: Verifier) -> Callable[[AnyRequest], Awaitable[Response[None] | None]]:
    """What every request passes before its handler; a guard of Litestar's would copy the handler for each of them."""

    async def gate(request: AnyRequest) -> Response[None] | None:
        if request.scope["method"] == "OPTIONS":
            return answer_options(request)
        admits: Admission | None = request.route_handler.opt.get(ADMITS)
        if admits is not None:
            await admits(request.scope, verifier)
        check_parameters(request)
        return None

    return gate

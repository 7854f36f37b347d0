"""Which methods a path has: HEAD wherever GET is, and OPTIONS everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from litestar import Request, Response
from litestar.routes import HTTPRoute


def allow(methods: Iterable[str]) -> str:
    """The value of an Allow header (RFC 9110, section 10.2.1)."""
    found = {*methods, "OPTIONS"}
    return ", ".join(sorted(found | {"HEAD"} if "GET" in found else found))


def answer_options(request: Request[Any, Any, Any]) -> Response[None]:
    """All methods of the path, where Litestar names those of one of its routes."""
    template = request.scope["path_template"]
    routes = [route for route in request.app.routes if isinstance(route, HTTPRoute) and route.path_format == template]
    methods = {method for route in routes for method in route.methods}
    return Response(None, status_code=204, headers={"allow": allow(methods)})

"""What an operation says of itself, once: who may call it, and which errors it answers with."""

from __future__ import annotations

from collections import defaultdict
from inspect import getdoc
from typing import Any, Final

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, SecurityScheme

from ecshop.kernel.errors import (
    BodyTooLarge,
    EcshopError,
    Forbidden,
    InvalidRequest,
    MalformedBody,
    Unauthenticated,
    UnsupportedMediaType,
)
from ecshop.kernel.http.problems import MEDIA_TYPE, to_problem
from ecshop.kernel.identity import Role, require_role, require_scope
from ecshop.kernel.tokens import Verifier, bearer_token

USER: Final = "user"
SERVICE: Final = "service"
SECURITY_SCHEMES: Final = {
    USER: SecurityScheme(type="http", scheme="bearer", bearer_format="JWT", description="A token from /auth/login."),
    SERVICE: SecurityScheme(
        type="http", scheme="bearer", bearer_format="JWT", description="A service's token from /auth/token."
    ),
}

BODY_ERRORS: Final = (MalformedBody, InvalidRequest, BodyTooLarge, UnsupportedMediaType)


class Problem(msgspec.Struct, frozen=True):
    """An error, as RFC 9457 has it; branch on `code`, which stays, and not on `detail`, which is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


def operation(
    summary: str,
    *raises: type[EcshopError],
    role: Role | None = None,
    scope: str | None = None,
) -> dict[str, Any]:
    """Arguments for a Litestar handler decorator: `role` asks for a person's token, `scope` for a service's."""
    guards: list[Any] = []
    security: list[dict[str, list[str]]] = []
    errors = list(raises)
    if role is not None:
        guards, security = [_signed_in_as(role)], [{USER: []}]
        errors += [Unauthenticated, *([Forbidden] if role is not Role.CUSTOMER else [])]
    if scope is not None:
        guards, security = [_service_with(scope)], [{SERVICE: []}]
        errors += [Unauthenticated, Forbidden]
    return {
        "summary": summary,
        "response_description": "Success",
        "guards": guards,
        "security": security or None,
        "responses": _responses(errors),
    }


def _signed_in_as(role: Role) -> Any:
    async def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        verifier: Verifier = connection.app.state.verifier
        actor = await verifier.actor(bearer_token(connection.headers.get("authorization")))
        require_role(actor, role)
        connection.scope["user"] = actor

    return signed_in


def _service_with(scope: str) -> Any:
    async def trusted_service(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        verifier: Verifier = connection.app.state.verifier
        require_scope(await verifier.caller(bearer_token(connection.headers.get("authorization"))), scope)

    return trusted_service


def _responses(errors: list[type[EcshopError]]) -> dict[int, ResponseSpec]:
    by_status: defaultdict[int, list[type[EcshopError]]] = defaultdict(list)
    for error in errors:
        by_status[error.status].append(error)
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=" / ".join(f"`{error.code}`" for error in together),
            media_type=MEDIA_TYPE,
            examples=[_example(error) for error in together],
        )
        for status, together in sorted(by_status.items())
    }


def _example(error: type[EcshopError]) -> Example:
    told = error(getdoc(error) or "", **error.example)
    return Example(
        summary=error.title(),
        value=to_problem(told, "01a208cf-ca8f-7408-a679-bf3a1688dcc1"),
    )

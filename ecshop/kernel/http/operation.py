"""What an operation says of itself, once: who may call it, what it makes, and which errors it answers with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from inspect import getdoc
from string import Formatter
from typing import Any, Final

import msgspec
from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    Example,
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.types import HTTPScope
from msgspec import UNSET, UnsetType

from ecshop.kernel.conditions import tag_of
from ecshop.kernel.errors import (
    Aborted,
    BodyTooLarge,
    EcshopError,
    Forbidden,
    HeadTooLarge,
    InvalidRequest,
    MalformedBody,
    RequestTooSlow,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from ecshop.kernel.http.headers import header
from ecshop.kernel.http.problems import MEDIA_TYPE, to_problem
from ecshop.kernel.http.strict import ACCEPTS, BYTES, JSON
from ecshop.kernel.identity import Role, may_use, require_key_scope, require_role, require_scope
from ecshop.kernel.tokens import Verifier, bearer_token

USER: Final = "user"
SERVICE: Final = "service"
SECURITY_SCHEMES: Final = {
    USER: SecurityScheme(
        type="http", scheme="bearer", bearer_format="JWT", description="A token from /auth/login, or an API key."
    ),
    SERVICE: SecurityScheme(
        type="http", scheme="bearer", bearer_format="JWT", description="A service's token from /auth/token."
    ),
}

ADMITS: Final = "admits"
"""The handler option that holds who may call it; anybody without it."""

Admission = Callable[[HTTPScope, Verifier], Awaitable[None]]
"""Lets the caller of a request in, or raises `Unauthenticated` or `Forbidden`."""

_BYTES: Final = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
_OF_ALL: Final = (InvalidRequest, HeadTooLarge, RequestTooSlow)
BODY_ERRORS: Final = (MalformedBody, InvalidRequest, BodyTooLarge, UnsupportedMediaType)


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field, as the rest of a sentence that begins with its name."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True):
    """An error, as RFC 9457 has it; branch on `code`, which stays, and not on `detail`, which is for people.

    Some codes have further members; their examples show them.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: tuple[FieldError, ...] | UnsetType = UNSET


def operation(
    summary: str,
    *raises: type[EcshopError],
    role: Role | None = None,
    key_scope: str | None = None,
    is_public: bool = False,
    scope: str | None = None,
    accepts: Sequence[str] = (JSON,),
    makes: str | None = None,
    tagged: bool = False,
    needs_nothing: bool = False,
) -> dict[str, Any]:
    """Arguments for a Litestar handler decorator.

    `role` asks for a person's token; with an API key it is called where that has the `key_scope`, and with none where
    there is no such scope. What `is_public` takes either one, and nobody. `scope` asks for a service's token. `makes`
    is the path of what a 201 has made, with names of the answer's fields in it. A `tagged` answer has an ETag. What
    `accepts` bytes of any kind takes its body as it is. What `needs_nothing` never answers `Unavailable` or `Aborted`.
    """
    errors = [*raises, *_OF_ALL, *([] if needs_nothing else [Unavailable, Aborted])]
    admits: Admission | None = None
    security: list[dict[str, list[str]]] = []
    access = "Anybody may call this."
    if role is not None:
        admits, security, access = _signed_in_as(role, key_scope), [{USER: [role.value]}], _for_people(role, key_scope)
        errors += [Unauthenticated, Forbidden]
    if is_public:
        admits, security, access = _anybody(key_scope), [{}, {USER: []}], "Anybody may call this. Staff may see more."
        errors += [Unauthenticated]
    if scope is not None:
        admits, security, access = _service_with(scope), [{SERVICE: [scope]}], f"Needs the scope **{scope}**."
        errors += [Unauthenticated, Forbidden]
    return {
        "summary": summary,
        "response_description": "Success",
        "security": security or None,
        "responses": _responses(list(dict.fromkeys(errors))),
        "opt": {ACCEPTS: tuple(accepts), ADMITS: admits},
        "operation_class": _documented(access, accepts),
        **_with_headers(makes, tagged=tagged),
    }


def _signed_in_as(role: Role, key_scope: str | None) -> Admission:
    async def admit(connection: HTTPScope, verifier: Verifier) -> None:
        actor = await verifier.actor(bearer_token(header(connection, b"authorization")))
        require_role(actor, role)
        require_key_scope(actor, key_scope)
        connection["user"] = actor

    return admit


def _anybody(key_scope: str | None) -> Admission:
    """Also who says nothing of himself; who does has to prove it. With an API key that lacks the scope he is nobody."""

    async def admit(connection: HTTPScope, verifier: Verifier) -> None:
        connection["user"] = None
        given = header(connection, b"authorization")
        if given is not None:
            actor = await verifier.actor(bearer_token(given))
            connection["user"] = actor if may_use(actor, key_scope) else None

    return admit


def _for_people(role: Role, key_scope: str | None) -> str:
    keys = f"An API key needs the scope **{key_scope}** besides." if key_scope else "No API key opens it."
    return f"Needs the role **{role}**. {keys}"


def _service_with(scope: str) -> Admission:
    async def admit(connection: HTTPScope, verifier: Verifier) -> None:
        require_scope(await verifier.caller(bearer_token(header(connection, b"authorization"))), scope)

    return admit


def _with_headers(makes: str | None, *, tagged: bool) -> dict[str, Any]:
    """The Location of what was made (RFC 9110, section 10.2.2), and the ETag by which a change can ask for it."""
    if not makes and not tagged:
        return {}
    names = [name for _, name, _, _ in Formatter().parse(makes or "") if name]

    async def tell(response: Response[Any]) -> Response[Any]:
        if makes:
            response.headers["location"] = makes.format(**{name: getattr(response.content, name) for name in names})
        if tagged:
            response.headers["etag"] = f'"{tag_of(response.content)}"'
        return response

    told = {"Location": makes and f"`{makes}`", "ETag": tagged and "Another one when anything of it has changed."}
    documented = [
        ResponseHeader(name=name, documentation_only=True, description=text) for name, text in told.items() if text
    ]
    return {"after_request": tell, "response_headers": documented}


def _documented(access: str, accepts: Sequence[str]) -> type[Operation]:
    @dataclass
    class DocumentedOperation(Operation):
        def __post_init__(self) -> None:
            self.description = f"{self.description}\n\n{access}" if self.description else access
            if BYTES in accepts:
                self.request_body = RequestBody(dict.fromkeys(accepts, OpenAPIMediaType(_BYTES)), required=True)
            elif isinstance(self.request_body, RequestBody):
                [content] = self.request_body.content.values()
                self.request_body.content = dict.fromkeys(accepts, content)
            for response in (self.responses or {}).values():
                for described in (getattr(response, "headers", None) or {}).values():
                    described.schema = Schema(type=OpenAPIType.STRING)

    return DocumentedOperation


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
    raised = error(getdoc(error) or "", **error.example)
    return Example(
        summary=error.title(),
        value=to_problem(raised, "01a208cf-ca8f-7408-a679-bf3a1688dcc1"),
    )

"""Both ends of auth's HTTP contract, side by side, so that a path is changed in one sitting."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from ecshop.auth.contract import (
    GrantRefused,
    InvalidClient,
    InvalidCredentials,
    Login,
    NewUser,
    ServiceTokenRequest,
    Token,
    TooManyAttempts,
    User,
    UserExists,
    UserNotFound,
)
from ecshop.auth.service import AuthService
from ecshop.kernel.http.headers import client_of
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.http.strict import FORM, JSON
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.tokens import JwkSet

AnyRequest = Request[Any, Any, Any]


class AuthController(Controller):
    tags = ("auth",)

    @post("/auth/signup", **operation("Sign up", UserExists, TooManyAttempts, *BODY_ERRORS, makes="/auth/me"))
    async def sign_up(self, auth: NamedDependency[AuthService], request: AnyRequest, data: JSONBody[NewUser]) -> User:
        """Makes a customer; log in next."""
        return await auth.sign_up(data, address=client_of(request.scope))

    @post(
        "/auth/login",
        status_code=200,
        **operation("Log in", InvalidCredentials, TooManyAttempts, *BODY_ERRORS, accepts=(FORM, JSON)),
    )
    async def log_in(self, auth: NamedDependency[AuthService], request: AnyRequest, data: JSONBody[Login]) -> Token:
        """Send the access token with each request: `Authorization: Bearer <access_token>`.

        After some wrong passwords each further attempt has to wait longer.
        """
        return await auth.log_in(data, address=client_of(request.scope))

    @get("/auth/me", **operation("Who am I?", UserNotFound, role=Role.CUSTOMER))
    async def me(self, auth: NamedDependency[AuthService], request: Request[Actor, Any, Any]) -> User:
        return await auth.me(request.user)

    @get("/.well-known/jwks.json", **operation("The public keys of the shop's tokens", needs_nothing=True))
    async def jwks(self, auth: NamedDependency[AuthService]) -> JwkSet:
        """A JSON Web Key Set (RFC 7517)."""
        return await auth.jwks()


class AuthInternal(Controller):
    tags = ("auth",)

    @post(
        "/auth/token",
        status_code=200,
        **operation(
            "A token for a service", InvalidClient, GrantRefused, TooManyAttempts, *BODY_ERRORS, accepts=(FORM,)
        ),
    )
    async def service_token(
        self, auth: NamedDependency[AuthService], request: AnyRequest, data: JSONBody[ServiceTokenRequest]
    ) -> Token:
        """OAuth 2 client credentials (RFC 6749, section 4.4); `audience` names the service to be called."""
        return await auth.service_token(data, address=client_of(request.scope))


class HttpAuthClient:
    def __init__(self, remote: Remote) -> None:
        self._call = remote.call

    async def jwks(self) -> JwkSet:
        return await self._call("GET", "/.well-known/jwks.json", JwkSet)

    async def service_token(self, request: ServiceTokenRequest) -> Token:
        form: dict[str, Any] = {name: getattr(request, name) for name in request.__struct_fields__}
        return await self._call("POST", "/auth/token", Token, form=form)

    async def me(self, actor: Actor) -> User:
        return await self._call("GET", "/auth/me", User, token=actor.token)

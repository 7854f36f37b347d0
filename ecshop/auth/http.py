"""Both ends of auth's HTTP contract, side by side, so that a path is changed in one sitting."""

from __future__ import annotations

from datetime import datetime
from types import NoneType
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET
from msgspec.structs import asdict

from ecshop.auth.client_credentials import ServiceTokenRequest
from ecshop.auth.contract import (
    NOBODY,
    AccountDisabled,
    ApiKey,
    ApiKeys,
    GrantRefused,
    InvalidClient,
    InvalidCredentials,
    InvalidRefreshToken,
    KeyExchange,
    Login,
    NewApiKey,
    NewUser,
    NoSession,
    PasswordChange,
    Refresh,
    SessionNotFound,
    Sessions,
    Token,
    TooManyAttempts,
    User,
    UserChange,
    UserExists,
    UserFilter,
    UserNotFound,
    Visitor,
    WrongPassword,
)
from ecshop.auth.models import LONGEST_ADDRESS, LONGEST_AGENT
from ecshop.auth.service import AuthService
from ecshop.kernel.ended_sessions import EndedSessions
from ecshop.kernel.http.headers import client_of, header
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.paging import as_parameters
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.http.strict import FORM, JSON
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.tokens import JwkSet
from ecshop.kernel.values import Page

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
        **operation("Log in", InvalidCredentials, AccountDisabled, TooManyAttempts, *BODY_ERRORS, accepts=(FORM, JSON)),
    )
    async def log_in(self, auth: NamedDependency[AuthService], request: AnyRequest, data: JSONBody[Login]) -> Token:
        """Send the access token with each request: `Authorization: Bearer <access_token>`.

        After some wrong passwords each further attempt has to wait longer.
        """
        return await auth.log_in(data, _visitor(request))

    @post(
        "/auth/refresh",
        status_code=200,
        **operation("Stay logged in", InvalidRefreshToken, *BODY_ERRORS, accepts=(FORM, JSON)),
    )
    async def refresh(self, auth: NamedDependency[AuthService], data: JSONBody[Refresh]) -> Token:
        """Brings a new access token and the next refresh token; the one that was sent is used up.

        Within ten seconds it brings the same again. Later it ends the session: somebody else has the token too.
        """
        return await auth.refresh(data.refresh_token)

    @post("/auth/logout", status_code=204, **operation("Log out", NoSession, role=Role.CUSTOMER))
    async def log_out(
        self,
        auth: NamedDependency[AuthService],
        request: Request[Actor, Any, Any],
        everywhere: Annotated[bool, QueryParameter(description="End all sessions of the account.")] = False,
    ) -> None:
        """The session's access tokens are refused everywhere within five seconds."""
        await auth.log_out(request.user, everywhere=everywhere)

    @post(
        "/auth/password",
        status_code=204,
        **operation(
            "Change the password", WrongPassword, TooManyAttempts, UserNotFound, *BODY_ERRORS, role=Role.CUSTOMER
        ),
    )
    async def change_password(
        self, auth: NamedDependency[AuthService], request: Request[Actor, Any, Any], data: JSONBody[PasswordChange]
    ) -> None:
        """All sessions of the account end, but for the one that asks."""
        await auth.change_password(request.user, data, address=client_of(request.scope))

    @get("/auth/sessions", **operation("List your sessions", role=Role.CUSTOMER))
    async def list_sessions(self, auth: NamedDependency[AuthService], request: Request[Actor, Any, Any]) -> Sessions:
        """At most twenty: another login ends the one that was used least lately."""
        return await auth.sessions_of(request.user)

    @delete("/auth/sessions/{session_id:uuid}", **operation("End a session", SessionNotFound, role=Role.CUSTOMER))
    async def end_session(
        self, auth: NamedDependency[AuthService], request: Request[Actor, Any, Any], session_id: FromPath[UUID]
    ) -> None:
        await auth.end_session(request.user, session_id)

    @get("/auth/ended-sessions", **operation("Which sessions have ended?"))
    async def ended_sessions(
        self, auth: NamedDependency[AuthService], since: Annotated[datetime | None, QueryParameter()] = None
    ) -> EndedSessions:
        """For whoever verifies tokens: those of these sessions are good no longer. Their ids say nothing else."""
        return await auth.ended_sessions(since)

    @get("/auth/me", **operation("Who am I?", UserNotFound, role=Role.CUSTOMER))
    async def me(self, auth: NamedDependency[AuthService], request: Request[Actor, Any, Any]) -> User:
        return await auth.me(request.user)

    @get("/.well-known/jwks.json", **operation("The public keys of the shop's tokens", needs_nothing=True))
    async def jwks(self, auth: NamedDependency[AuthService]) -> JwkSet:
        """A JSON Web Key Set (RFC 7517)."""
        return await auth.jwks()


def _visitor(request: AnyRequest) -> Visitor:
    agent = header(request.scope, b"user-agent") or ""
    return Visitor(client_of(request.scope)[:LONGEST_ADDRESS], "".join(filter(str.isprintable, agent))[:LONGEST_AGENT])


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
        """OAuth 2 client credentials (RFC 6749, section 4.4); `audience` names the service to be called.

        In the place of a secret an assertion may come (RFC 7523): for `ecshop`, signed by the service, of a minute.
        """
        return await auth.service_token(data, address=client_of(request.scope))


def _sessions_of(user_id: UUID | None) -> str:
    return f"/users/{user_id}/sessions" if user_id else "/auth/sessions"


class HttpAuthClient:
    def __init__(self, remote: Remote) -> None:
        self._call = remote.call

    async def jwks(self) -> JwkSet:
        return await self._call("GET", "/.well-known/jwks.json", JwkSet)

    async def ended_sessions(self, since: datetime | None) -> EndedSessions:
        params = {} if since is None else {"since": since.isoformat()}
        return await self._call("GET", "/auth/ended-sessions", EndedSessions, params=params)

    async def exchange_key(self, key: str) -> Token:
        return await self._call("POST", "/auth/api-keys/token", Token, KeyExchange(key))

    async def service_token(self, request: ServiceTokenRequest) -> Token:
        form = {name: value for name, value in asdict(request).items() if value is not UNSET}
        return await self._call("POST", "/auth/token", Token, form=form)

    async def me(self, actor: Actor) -> User:
        return await self._call("GET", "/auth/me", User, token=actor.token)

    async def users(self, actor: Actor, wanted: UserFilter, cursor: str | None, limit: int) -> Page[User]:
        params = as_parameters(wanted, cursor, limit)
        return await self._call("GET", "/users", Page[User], params=params, token=actor.token)

    async def change_user(self, actor: Actor, user_id: UUID, change: UserChange) -> User:
        return await self._call("PUT", f"/users/{user_id}", User, change, token=actor.token)

    async def sign_up(self, new: NewUser, *, address: str = "") -> User:
        return await self._call("POST", "/auth/signup", User, new, headers=_on_behalf_of(Visitor(address)))

    async def log_in(self, login: Login, visitor: Visitor = NOBODY) -> Token:
        return await self._call("POST", "/auth/login", Token, login, headers=_on_behalf_of(visitor))

    async def refresh(self, refresh_token: str) -> Token:
        return await self._call("POST", "/auth/refresh", Token, Refresh(refresh_token))

    async def log_out(self, actor: Actor, *, everywhere: bool = False) -> None:
        params = {"everywhere": everywhere}
        await self._call("POST", "/auth/logout", NoneType, params=params, token=actor.token)

    async def sessions_of(self, actor: Actor, user_id: UUID | None = None) -> Sessions:
        return await self._call("GET", _sessions_of(user_id), Sessions, token=actor.token)

    async def end_session(self, actor: Actor, session_id: UUID, user_id: UUID | None = None) -> None:
        await self._call("DELETE", f"{_sessions_of(user_id)}/{session_id}", NoneType, token=actor.token)

    async def make_key(self, actor: Actor, new: NewApiKey) -> ApiKey:
        return await self._call("POST", "/auth/api-keys", ApiKey, new, token=actor.token)

    async def keys_of(self, actor: Actor) -> ApiKeys:
        return await self._call("GET", "/auth/api-keys", ApiKeys, token=actor.token)

    async def end_key(self, actor: Actor, key_id: UUID) -> None:
        await self._call("DELETE", f"/auth/api-keys/{key_id}", NoneType, token=actor.token)

    async def change_password(self, actor: Actor, change: PasswordChange, *, address: str = "") -> None:
        headers = _on_behalf_of(Visitor(address))
        await self._call("POST", "/auth/password", NoneType, change, token=actor.token, headers=headers)


def _on_behalf_of(visitor: Visitor) -> dict[str, str]:
    """Auth believes it where it trusts the address that this comes from, as of any proxy."""
    told = {"x-forwarded-for": visitor.address, "user-agent": visitor.agent}
    return {name: value for name, value in told.items() if value}

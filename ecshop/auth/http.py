"""Both ends of auth's HTTP contract, side by side, so that a path is changed in one sitting."""

from __future__ import annotations

from datetime import datetime
from types import NoneType
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET
from msgspec.structs import asdict

from ecshop.auth.contract import (
    NOBODY,
    AccountDisabled,
    ApiKey,
    ApiKeyNotFound,
    ApiKeys,
    GrantRefused,
    InvalidApiKey,
    InvalidClient,
    InvalidCredentials,
    InvalidRefreshToken,
    KeyExchange,
    Login,
    NewApiKey,
    NewUser,
    NoSession,
    OwnAccount,
    PasswordChange,
    Refresh,
    ScopeNotGranted,
    ServiceTokenRequest,
    SessionNotFound,
    Sessions,
    Token,
    TooManyApiKeys,
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
from ecshop.kernel.errors import InvalidCursor
from ecshop.kernel.http.headers import client_of, header
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.paging import LIMIT, Cursor, Limit, as_parameters
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


class ApiKeyController(Controller):
    tags = ("auth",)

    @post(
        "/auth/api-keys",
        **operation(
            "Make an API key",
            ScopeNotGranted,
            TooManyApiKeys,
            UserNotFound,
            *BODY_ERRORS,
            role=Role.CUSTOMER,
            makes="/auth/api-keys",
        ),
    )
    async def make_key(
        self, auth: NamedDependency[AuthService], request: Request[Actor, Any, Any], data: JSONBody[NewApiKey]
    ) -> ApiKey:
        """For a machine that acts in your name: it sends the key as you send a token. The key is shown here alone."""
        return await auth.make_key(request.user, data)

    @get("/auth/api-keys", **operation("List your API keys", role=Role.CUSTOMER))
    async def list_keys(self, auth: NamedDependency[AuthService], request: Request[Actor, Any, Any]) -> ApiKeys:
        """Those that are good; at most twenty."""
        return await auth.keys_of(request.user)

    @delete("/auth/api-keys/{key_id:uuid}", **operation("End an API key", ApiKeyNotFound, role=Role.CUSTOMER))
    async def end_key(
        self, auth: NamedDependency[AuthService], request: Request[Actor, Any, Any], key_id: FromPath[UUID]
    ) -> None:
        """It is refused everywhere within five seconds."""
        await auth.end_key(request.user, key_id)

    @post("/auth/api-keys/token", status_code=200, **operation("A token for an API key", InvalidApiKey, *BODY_ERRORS))
    async def exchange_key(self, auth: NamedDependency[AuthService], data: JSONBody[KeyExchange]) -> Token:
        """An access token of some minutes; every service does this by itself for a key that it is sent."""
        return await auth.exchange_key(data.key)


class UserController(Controller):
    tags = ("auth",)

    @get("/users", **operation("List users", InvalidCursor, role=Role.STAFF))
    async def list_users(
        self,
        auth: NamedDependency[AuthService],
        request: AnyRequest,
        q: Annotated[str | None, QueryParameter(max_length=64, description="How their names begin.")] = None,
        role: Annotated[Role | None, QueryParameter()] = None,
        disabled: Annotated[bool | None, QueryParameter()] = None,
        user_id: Annotated[tuple[UUID, ...], QueryParameter(max_items=100)] = (),
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[User]:
        return await auth.users(request.user, UserFilter(q, role, disabled, user_id), cursor, limit)

    @get("/users/{user_id:uuid}", **operation("Get a user", UserNotFound, role=Role.STAFF))
    async def get_user(self, auth: NamedDependency[AuthService], user_id: FromPath[UUID]) -> User:
        return await auth.user(user_id)

    @put(
        "/users/{user_id:uuid}",
        **operation("Change a user", UserNotFound, OwnAccount, *BODY_ERRORS, role=Role.ADMIN),
    )
    async def change_user(
        self,
        auth: NamedDependency[AuthService],
        request: Request[Actor, Any, Any],
        user_id: FromPath[UUID],
        data: JSONBody[UserChange],
    ) -> User:
        """Another role, or being disabled, ends all sessions of the account. Fields that are left out stay."""
        return await auth.change_user(request.user, user_id, data)


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

    async def change_password(self, actor: Actor, change: PasswordChange, *, address: str = "") -> None:
        headers = _on_behalf_of(Visitor(address))
        await self._call("POST", "/auth/password", NoneType, change, token=actor.token, headers=headers)


def _on_behalf_of(visitor: Visitor) -> dict[str, str]:
    """Auth believes it where it trusts the address that this comes from, as of any proxy."""
    told = {"x-forwarded-for": visitor.address, "user-agent": visitor.agent}
    return {name: value for name, value in told.items() if value}

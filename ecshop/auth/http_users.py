"""Users and API keys over HTTP; the callers' end is `HttpAuthClient`."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from ecshop.auth.contract import (
    ApiKey,
    ApiKeyNotFound,
    ApiKeys,
    InvalidApiKey,
    KeyExchange,
    NewApiKey,
    OwnAccount,
    ScopeNotGranted,
    SessionNotFound,
    Sessions,
    Token,
    TooManyApiKeys,
    User,
    UserChange,
    UserFilter,
    UserNotFound,
)
from ecshop.auth.service import AuthService
from ecshop.kernel.errors import InvalidCursor
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.paging import LIMIT, Cursor, Limit
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import Page

AnyRequest = Request[Any, Any, Any]


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

    @get(
        "/users/{user_id:uuid}/sessions",
        **operation("List a user's sessions", UserNotFound, role=Role.ADMIN),
    )
    async def list_user_sessions(
        self, auth: NamedDependency[AuthService], request: Request[Actor, Any, Any], user_id: FromPath[UUID]
    ) -> Sessions:
        return await auth.sessions_of(request.user, user_id)

    @delete(
        "/users/{user_id:uuid}/sessions/{session_id:uuid}",
        **operation("End a user's session", SessionNotFound, role=Role.ADMIN),
    )
    async def end_user_session(
        self,
        auth: NamedDependency[AuthService],
        request: Request[Actor, Any, Any],
        user_id: FromPath[UUID],
        session_id: FromPath[UUID],
    ) -> None:
        """Its access tokens are refused everywhere within five seconds."""
        await auth.end_session(request.user, session_id, user_id)

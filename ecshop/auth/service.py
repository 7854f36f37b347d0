"""The rules of auth. One public method is one transaction."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from ecshop.auth import accounts, api_keys, sessions
from ecshop.auth.api_keys import Scopes
from ecshop.auth.client_credentials import ServiceTokenRequest
from ecshop.auth.clients import Clients
from ecshop.auth.contract import (
    NOBODY,
    AccountDisabled,
    ApiKey,
    ApiKeys,
    GrantRefused,
    InvalidCredentials,
    InvalidRefreshToken,
    Login,
    NewApiKey,
    NewUser,
    NoSession,
    OwnAccount,
    PasswordChange,
    SessionNotFound,
    Sessions,
    Token,
    User,
    UserChange,
    UserFilter,
    UserNotFound,
    Visitor,
    WrongPassword,
)
from ecshop.auth.credentials import require_password
from ecshop.auth.guesses import Guesses
from ecshop.auth.keys import KeyInUse
from ecshop.auth.models import Account
from ecshop.auth.passwords import Passwords
from ecshop.auth.sessions import Begun, Lifetime
from ecshop.kernel.clock import Clock, now
from ecshop.kernel.db.database import Database
from ecshop.kernel.ended_sessions import EndedSessions
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.identity import Actor, Role, require_role
from ecshop.kernel.telemetry.logs import annotate
from ecshop.kernel.tokens import JwkSet, audience_of
from ecshop.kernel.values import Page
from ecshop.kernel.words import key_of

log = structlog.get_logger("auth")

SERVICE_TOKEN_SECONDS: Final = 300
_ROUNDING: Final = timedelta(minutes=1)
"""By which a token may outlive its session's end: verifiers' clocks, and seconds that are whole."""
_KEEP_ENDED: Final = timedelta(days=1)
_FORGET_EVERY: Final = 600.0  # seconds

Grants = Mapping[str, Mapping[str, frozenset[str]]]
"""Which service may call which, and with which scopes: {"order": {"stock": {"stock.reserve"}}}."""


class AuthService:
    """Satisfies `AuthClient`: inside one process the service is the client."""

    def __init__(
        self,
        db: Database,
        keys: KeyInUse,
        *,
        token_seconds: float,
        lifetime: Lifetime,
        free_guesses: int,
        clients: Clients,
        grants: Grants,
        key_scopes: Scopes,
        clock: Clock = now,
    ) -> None:
        self._db, self._keys, self._clock = db, keys, clock
        self._token_seconds, self._lifetime = token_seconds, lifetime
        self._clients, self._grants, self._key_scopes = clients, grants, key_scopes
        self._passwords, self._guesses = Passwords(), Guesses(free_guesses)

    async def sign_up(self, new: NewUser, role: Role = Role.CUSTOMER, *, address: str = "") -> User:
        """Raises `UserExists`, or `TooManyAttempts` where an `address` makes too many."""
        if address:
            self._guesses.make_account(address)
        password_hash = await self._passwords.hash(new.password)
        return await self._db.write(accounts.add, new.user_name, password_hash, role, self._clock())

    async def log_in(self, login: Login, visitor: Visitor = NOBODY) -> Token:
        """Begin a session.

        Raises `InvalidCredentials`, after the same time whether or not the user exists, `TooManyAttempts`, or to who
        knows the password `AccountDisabled`.
        """
        name = key_of(login.username)
        self._guesses.begin(name, visitor.address)
        found = await self._db.read(accounts.by_name, login.username)
        account = await self._authenticated(name, found, login.password, visitor.address)
        begun = await self._db.write(sessions.begin, account.id, visitor, self._clock(), self._lifetime)
        if begun is None:
            raise AccountDisabled("the account is disabled; ask the shop")
        if self._passwords.is_outdated(account.password_hash):
            with suppress(Unavailable):  # the next login tries again
                await self._db.write(accounts.keep_hash, account.id, await self._passwords.hash(login.password))
        return await self._token(begun)

    async def refresh(self, refresh_token: str) -> Token:
        """A new access token, and the next refresh token. Raises `InvalidRefreshToken`."""
        begun = await self._db.write(sessions.refresh, refresh_token, self._clock(), self._lifetime)
        if begun is None:
            log.warning("a refresh token came twice: its session has ended")
            raise InvalidRefreshToken("the token was used before: its session has ended; log in again")
        return await self._token(begun)

    async def log_out(self, actor: Actor, *, everywhere: bool = False) -> None:
        """Raises `NoSession`."""
        if everywhere:
            await self._db.write(sessions.end_all, actor, self._clock())
        elif actor.session is None:
            raise NoSession("this token has no session; it ends by itself")
        else:
            with suppress(SessionNotFound):  # it has ended already
                await self._db.write(sessions.end, actor, actor.user_id, actor.session, self._clock())

    async def change_password(self, actor: Actor, change: PasswordChange, *, address: str = "") -> None:
        """All other sessions end. Raises `WrongPassword`, `TooManyAttempts`, `UserNotFound` or `InvalidRequest`."""
        account = await self._db.read(accounts.by_id, actor.user_id)
        if account is None:
            raise UserNotFound("the token's user is no longer there")
        require_password(change, "new_password", account.user_name)
        self._guesses.begin(account.name_key, address)
        try:
            await self._authenticated(account.name_key, account, change.current_password, address)
        except InvalidCredentials as cause:
            raise WrongPassword("the current password is another one") from cause
        new_hash = await self._passwords.hash(change.new_password)
        await self._db.write(_replace_password, actor, new_hash, self._clock())

    async def sessions_of(self, actor: Actor, user_id: UUID | None = None) -> Sessions:
        """Raises `UserNotFound`."""
        if user_id is not None:
            require_role(actor, Role.ADMIN)
            await self.user(user_id)
        whose = user_id or actor.user_id
        return Sessions(await self._db.read(sessions.open_sessions, whose, self._clock(), actor.session))

    async def end_session(self, actor: Actor, session_id: UUID, user_id: UUID | None = None) -> None:
        """Raises `SessionNotFound`."""
        if user_id is not None:
            require_role(actor, Role.ADMIN)
        await self._db.write(sessions.end, actor, user_id or actor.user_id, session_id, self._clock())

    async def ended_sessions(self, since: datetime | None) -> EndedSessions:
        moment = self._clock()
        oldest = moment - timedelta(seconds=self._token_seconds) - _ROUNDING
        return await self._db.read(sessions.ended_since, max(since or oldest, oldest), moment)

    async def make_key(self, actor: Actor, new: NewApiKey) -> ApiKey:
        """Raises `ScopeNotGranted`, `TooManyApiKeys` or `UserNotFound`."""
        return await self._db.write(api_keys.make, actor, new, self._key_scopes, self._clock())

    async def keys_of(self, actor: Actor) -> ApiKeys:
        keys = await self._db.read(api_keys.good_keys, actor.user_id, self._clock())
        return ApiKeys(keys, tuple(api_keys.granted_to(actor.role, self._key_scopes)))

    async def end_key(self, actor: Actor, key_id: UUID) -> None:
        """Raises `ApiKeyNotFound`."""
        await self._db.write(api_keys.end, actor, key_id, self._clock())

    async def exchange_key(self, key: str) -> Token:
        """Raises `InvalidApiKey`."""
        moment = self._clock()
        row, role = await self._db.read(api_keys.find, key, moment)
        await self._db.write(api_keys.use, row.id, moment)
        annotate(account_id=row.user_id, role=role.value)
        seconds = math.ceil(min(self._token_seconds, (row.expires_at - moment).total_seconds()))
        signing = await self._keys.current()
        token = signing.token_for_user(row.user_id, role, seconds, row.id, row.scopes)
        return Token(token, seconds, scope=row.scopes)

    async def me(self, actor: Actor) -> User:
        """Raises `UserNotFound`."""
        return await self._db.read(accounts.get, actor.user_id)

    async def user(self, user_id: UUID) -> User:
        """Raises `UserNotFound`."""
        return await self._db.read(accounts.get, user_id)

    async def users(self, actor: Actor, wanted: UserFilter, cursor: str | None, limit: int) -> Page[User]:
        require_role(actor, Role.STAFF)
        return await self._db.read(accounts.list_users, wanted, cursor, limit)

    async def change_user(self, actor: Actor, user_id: UUID, change: UserChange) -> User:
        require_role(actor, Role.ADMIN)
        if user_id == actor.user_id:
            raise OwnAccount("another admin, or `ecshop user` on the command line, changes your account")
        return await self._db.write(accounts.change, actor, user_id, change, self._clock())

    async def forget_sessions(self, every: float = _FORGET_EVERY) -> None:
        """Those that ended long ago, until cancelled; `every` is in seconds."""
        while True:
            await asyncio.sleep(every)
            while await self._db.write(sessions.forget, self._clock() - _KEEP_ENDED):
                await asyncio.sleep(1)

    async def jwks(self) -> JwkSet:
        return (await self._keys.current()).jwks

    async def service_token(self, request: ServiceTokenRequest, *, address: str = "") -> Token:
        if request.grant_type != "client_credentials":
            raise GrantRefused("the only grant is client_credentials", error="unsupported_grant_type")
        self._guesses.begin_at(address)
        self._clients.check(request)
        self._guesses.succeeded_at(address)
        granted = self._grants.get(request.client_id, {}).get(request.audience, frozenset())
        wanted = set(request.scope.split())
        if not wanted or not wanted <= granted:
            refused = f"{request.client_id} may ask {request.audience} for: {' '.join(sorted(granted)) or 'nothing'}"
            raise GrantRefused(refused, error="invalid_scope")
        audience = audience_of(request.audience)
        scope = " ".join(sorted(wanted))
        key = await self._keys.current()
        token = key.token_for_service(request.client_id, audience, scope, SERVICE_TOKEN_SECONDS)
        return Token(token, SERVICE_TOKEN_SECONDS, scope=scope)

    async def _authenticated(self, name: str, account: Account | None, password: str, address: str) -> Account:
        """Raises `InvalidCredentials`, after the same work whether or not there is one."""
        if account is not None:
            annotate(account_id=account.id)
        stored, is_known = account.password_hash if account else None, self._guesses.knows(name, address)
        if not await self._passwords.match(stored, password, is_known=is_known) or not account:
            await self._db.write(accounts.refuse_login, account.id if account else None)
            raise InvalidCredentials("user name and password do not belong together")
        annotate(account_id=account.id, role=account.role)
        self._guesses.succeeded(name, address)
        return account

    async def _token(self, begun: Begun) -> Token:
        account = begun.account
        annotate(account_id=account.id, role=account.role)
        key = await self._keys.current()
        token = key.token_for_user(account.id, Role(account.role), self._token_seconds, begun.id)
        return Token(token, int(self._token_seconds), refresh_token=begun.refresh_token)


def _replace_password(session: Session, actor: Actor, password_hash: str, moment: datetime) -> None:
    accounts.replace_password(session, actor, actor.user_id, password_hash)
    sessions.end_others(session, actor.user_id, moment, but=actor.session)

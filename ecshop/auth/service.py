"""The rules of auth. One public method is one transaction."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ecshop.auth.contract import (
    GrantRefused,
    InvalidClient,
    InvalidCredentials,
    Login,
    NewUser,
    ServiceTokenRequest,
    Token,
    User,
    UserExists,
    UserNotFound,
)
from ecshop.auth.guesses import Guesses
from ecshop.auth.keys import KeyInUse
from ecshop.auth.models import Account
from ecshop.auth.passwords import Passwords
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from ecshop.kernel.db.mapping import struct_of
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.telemetry.logs import annotate
from ecshop.kernel.tokens import JwkSet, audience_of
from ecshop.kernel.words import key_of

SERVICE_TOKEN_SECONDS: Final = 300

Secrets = Mapping[str, Sequence[str]]
"""Of each service: one, or two while it is being replaced."""
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
        free_guesses: int,
        secrets: Secrets,
        grants: Grants,
    ) -> None:
        self._db, self._keys, self._token_seconds = db, keys, token_seconds
        self._secrets, self._grants = secrets, grants
        self._passwords, self._guesses = Passwords(), Guesses(free_guesses)

    async def sign_up(self, new: NewUser, role: Role = Role.CUSTOMER, *, address: str = "") -> User:
        """Raises `UserExists`, or `TooManyAttempts` where an `address` makes too many."""
        if address:
            self._guesses.make_account(address)
        return await self._db.write(_add, new.user_name, await self._passwords.hash(new.password), role)

    async def log_in(self, login: Login, *, address: str = "") -> Token:
        """Raises `InvalidCredentials`, after the same time whether or not the user exists, or `TooManyAttempts`."""
        name = key_of(login.username)
        self._guesses.begin(name, address)
        account = await self._db.read(_by_name, login.username)
        if account is not None:
            annotate(account_id=account.id)
        if not await self._passwords.match(account.password_hash if account else None, login.password) or not account:
            raise InvalidCredentials("user name and password do not belong together")
        annotate(account_id=account.id, role=account.role)
        self._guesses.succeeded(name, address)
        if self._passwords.is_outdated(account.password_hash):
            with suppress(Unavailable):  # the next login tries again
                await self._db.write(_keep_hash, account.id, await self._passwords.hash(login.password))
        key = await self._keys.current()
        token = key.token_for_user(account.id, Role(account.role), self._token_seconds)
        return Token(token, int(self._token_seconds))

    async def me(self, actor: Actor) -> User:
        return await self._db.read(_get, actor)

    async def jwks(self) -> JwkSet:
        return (await self._keys.current()).jwks

    async def service_token(self, request: ServiceTokenRequest, *, address: str = "") -> Token:
        if request.grant_type != "client_credentials":
            raise GrantRefused("the only grant is client_credentials", error="unsupported_grant_type")
        self._guesses.begin_at(address)
        if not self._is_secret_of(request.client_id, request.client_secret):
            raise InvalidClient("unknown service or wrong secret", error="invalid_client")
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

    def _is_secret_of(self, service: str, presented: str) -> bool:
        known = self._secrets.get(service, ())
        return any(hmac.compare_digest(secret.encode(), presented.encode()) for secret in known)


def _add(session: Session, name: str, password_hash: str, role: Role) -> User:
    account = Account(
        id=uuid7(),
        user_name=name,
        name_key=key_of(name),
        password_hash=password_hash,
        role=role.value,
        created_at=now(),
    )
    session.add(account)
    try:
        session.flush()
    except IntegrityError as cause:
        raise UserExists(f"the user name {name} is taken") from cause
    return _user(account)


def _by_name(session: Session, name: str) -> Account | None:
    return session.scalar(select(Account).where(Account.name_key == key_of(name)))


def _keep_hash(session: Session, account_id: UUID, password_hash: str) -> None:
    session.execute(update(Account).where(Account.id == account_id).values(password_hash=password_hash))


def _get(session: Session, actor: Actor) -> User:
    account = session.get(Account, actor.user_id)
    if account is None:
        raise UserNotFound("the token's user is no longer there")
    return _user(account)


def _user(account: Account) -> User:
    return struct_of(User, account, role=Role(account.role))

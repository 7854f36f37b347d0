"""Who is calling: from a bearer token to an Actor or a neighbouring service.

Tokens are JWTs signed with Ed25519 (RFC 8037), profiled by RFC 9068. Every context verifies them by the public keys
alone (RFC 7517), which it gets from auth and keeps for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import jwt
import msgspec

from ecshop.kernel.errors import Forbidden, Unauthenticated, Unavailable

ISSUER: Final = "ecshop"
SHOP: Final = "ecshop"
"""The audience of a person's token; a service's token is for one callee alone: see `audience_of`."""
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the media type of an access token, RFC 9068 section 2.1
ALGORITHM: Final = "EdDSA"

Audience = tuple[str, ...]


def audience_of(context: str) -> str:
    return f"{SHOP}.{context}"


class Role(StrEnum):
    """Each role may do what those before it may."""

    CUSTOMER = "customer"
    STAFF = "staff"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        return _RANK[self] >= _RANK[other]


_RANK: Final = {role: rank for rank, role in enumerate(Role)}


class Actor(msgspec.Struct, frozen=True):
    """A signed-in person. The token goes along, so that a call to another service is made in the same name."""

    user_id: UUID
    role: Role
    token: str = ""


class Caller(msgspec.Struct, frozen=True):
    """A neighbouring service, and what it was allowed to ask for."""

    name: str
    scopes: frozenset[str]


class Jwk(msgspec.Struct, frozen=True):
    """An Ed25519 public key as RFC 8037 writes it."""

    kid: str
    x: str
    kty: str = "OKP"
    crv: str = "Ed25519"
    use: str = "sig"
    alg: str = ALGORITHM


class JwkSet(msgspec.Struct, frozen=True):
    keys: tuple[Jwk, ...]


class Verifier:
    """Tells whether a token is good, and whose it is. Verified tokens are remembered until they expire."""

    _MOST_REMEMBERED: Final = 10_000

    def __init__(self, jwks: Callable[[], Awaitable[JwkSet]], callees: Iterable[str] = ()) -> None:
        """`callees` are the contexts that a service's token may be meant for to be good here."""
        self._keys = _Keys(jwks)
        self._callees = tuple(audience_of(context) for context in sorted(callees))
        self._remembered: OrderedDict[tuple[str, Audience], Mapping[str, Any]] = OrderedDict()

    async def actor(self, token: str) -> Actor:
        """Raises `Unauthenticated` for a token that is not a person's, or no longer."""
        claims = await self._claims(token, (SHOP,))
        try:
            return Actor(UUID(claims["sub"]), Role(claims["role"]), token)
        except (KeyError, ValueError) as cause:
            raise Unauthenticated("the token does not name a user and a role") from cause

    async def caller(self, token: str) -> Caller:
        """Raises `Unauthenticated` for a token that is not a service's, or meant for another callee."""
        claims = await self._claims(token, self._callees)
        return Caller(claims["sub"], frozenset(str(claims.get("scope", "")).split()))

    async def _claims(self, token: str, audience: Audience) -> Mapping[str, Any]:
        known = self._remembered.get((token, audience))
        if known is None:
            known = await self._verify(token, audience)
            self._remembered[token, audience] = known
            if len(self._remembered) > self._MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        elif known["exp"] <= time.time():
            del self._remembered[token, audience]
            raise Unauthenticated("the token has expired; log in again")
        return known

    async def _verify(self, token: str, audience: Audience) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TOKEN_TYPE:
                raise jwt.InvalidTokenError("not an access token")
            key = await self._keys.find(str(header.get("kid")))
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
            )
        except jwt.ExpiredSignatureError as cause:
            raise Unauthenticated("the token has expired; log in again") from cause
        except (jwt.InvalidTokenError, ValueError) as cause:
            raise Unauthenticated(f"the token is not valid: {cause}") from cause


class _Keys:
    """Auth's public keys: fetched once for all who wait, anew for an unknown key id, kept while auth is away."""

    _MAX_AGE: Final = 300.0
    _PAUSE: Final = 5.0
    _FIRST_PAUSE: Final = 1.0

    def __init__(self, fetch: Callable[[], Awaitable[JwkSet]]) -> None:
        self._fetch, self._fetching = fetch, asyncio.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = self._tried = float("-inf")

    async def find(self, kid: str) -> jwt.PyJWK:
        if self._wants(kid):
            async with self._fetching:
                if self._wants(kid):
                    await self._refresh()
        if not self._keys:
            raise Unavailable("auth's public keys cannot be fetched; try again")
        if kid not in self._keys:
            raise jwt.InvalidTokenError("it is signed with an unknown key")
        return self._keys[kid]

    def _wants(self, kid: str) -> bool:
        moment = time.monotonic()
        stale = kid not in self._keys or moment - self._fetched > self._MAX_AGE
        return stale and moment - self._tried > (self._PAUSE if self._keys else self._FIRST_PAUSE)

    async def _refresh(self) -> None:
        try:
            found = await self._fetch()
        except Unavailable:
            return
        finally:
            self._tried = time.monotonic()
        self._keys = {key.kid: jwt.PyJWK(msgspec.to_builtins(key)) for key in found.keys}
        self._fetched = self._tried


def bearer_token(header: str | None) -> str:
    """The token in an Authorization header (RFC 6750); raises `Unauthenticated` without one."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("send an access token: Authorization: Bearer <token>")
    return token.strip()


def require_role(actor: Actor, role: Role) -> None:
    if not actor.role.includes(role):
        raise Forbidden(f"this needs the role {role}; yours is {actor.role}")


def require_scope(caller: Caller, scope: str) -> None:
    if scope not in caller.scopes:
        raise Forbidden(f"this needs the scope {scope}")

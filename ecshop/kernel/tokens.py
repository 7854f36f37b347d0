"""From a bearer token to the one who calls.

Tokens are JWTs signed with Ed25519 (RFC 8037), profiled by RFC 9068. Every context verifies them by the public keys
alone (RFC 7517), which it gets from auth and keeps for a while.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

import jwt
import msgspec

from ecshop.kernel.api_keys import PREFIX, Exchange, LentTokens, no_keys
from ecshop.kernel.ended_sessions import Ask, SessionEnds, none_ended
from ecshop.kernel.errors import Forbidden, Unauthenticated, Unavailable
from ecshop.kernel.identity import Actor, Caller, Role
from ecshop.kernel.refreshing import Fresh, Refreshing

ISSUER: Final = "ecshop"
SHOP: Final = "ecshop"
"""The audience of a person's token; a service's token is for one callee alone: see `audience_of`."""
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the media type of an access token, RFC 9068 section 2.1
ALGORITHM: Final = "EdDSA"

_CHECK_EVERY: Final = 2.0  # seconds until a key that was withdrawn is noticed; unknown key ids ask no more often
_FIRST_PAUSE: Final = 1.0
_CLOCK_SKEW: Final = 30  # seconds by which auth's clock may be ahead of ours
_LONGEST: Final = 4096
"""Characters of a token; ours have 500."""
LONGEST_LIFE: Final = 3600
"""Seconds for which a token may be good, whoever has signed it."""
_TYPES: Final = {"iss": str, "aud": str, "sub": str, "jti": str, "exp": int, "iat": int}
"""Of the claims that every token has: RFC 7519 would also take a list of audiences, and numbers with a fraction."""

Audience = tuple[str, ...]
Claims = Mapping[str, Any]
Keys = Mapping[str, jwt.PyJWK]


def audience_of(context: str) -> str:
    return f"{SHOP}.{context}"


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


class _Verified(NamedTuple):
    """A token that was good, by which key and until when, in seconds since 1970."""

    kid: str
    expires: float
    holder: Any
    session: UUID | None


class Verifier:
    """Tells whether a token is good, and whose.

    It is remembered until it expires, its key is withdrawn or its session ends.
    """

    _MOST_REMEMBERED: Final = 10_000

    def __init__(
        self,
        jwks: Callable[[], Awaitable[JwkSet]],
        callees: Iterable[str] = (),
        *,
        ended: Ask = none_ended,
        exchange: Exchange = no_keys,
        check_every: float = _CHECK_EVERY,
    ) -> None:
        """`callees` are the contexts that a service's token may be meant for to be good here."""
        self._jwks, self._check_every = jwks, check_every
        self._lent = LentTokens(exchange)
        self._ends = SessionEnds(ended, LONGEST_LIFE + _CLOCK_SKEW)
        self._keys = Refreshing("auth's public keys", self._fetch, pause=check_every, first_pause=_FIRST_PAUSE)
        self._callees = tuple(audience_of(context) for context in sorted(callees))
        self._remembered: OrderedDict[tuple[str, Audience], _Verified] = OrderedDict()
        self.refused = 0
        """How often a token was."""

    async def watch(self) -> None:
        """Notice the keys that come and go, and the sessions that end, until cancelled."""
        await self._keys.keep_fresh()

    async def actor(self, token: str) -> Actor:
        """Of a person's token or an API key. Raises `Unauthenticated` for what is neither, or no longer."""
        return cast(Actor, await self._holder(token, (SHOP,), _actor))

    async def caller(self, token: str) -> Caller:
        """Raises `Unauthenticated` for a token that is meant for another callee, `Forbidden` for a person's."""
        caller = cast(Caller | None, await self._holder(token, (*self._callees, SHOP), _caller))
        if caller is None:
            raise Forbidden("this is for services, and a person's token does not open it")
        return caller

    async def _holder(self, token: str, audience: Audience, named: Callable[[Claims, str], Any]) -> Any:
        try:
            if token.startswith(PREFIX):
                token = await self._lent.token_of(token)
            return await self._good_holder(token, audience, named)
        except Unauthenticated:
            self.refused += 1
            raise

    async def _good_holder(self, token: str, audience: Audience, named: Callable[[Claims, str], Any]) -> Any:
        known = self._remembered.get((token, audience))
        if known is None or self._is_withdrawn(known.kid):
            kid, claims = await self._verify(token, audience)
            holder = named(claims, token)
            session = getattr(holder, "session", None)
            known = self._remembered[token, audience] = _Verified(kid, claims["exp"], holder, session)
            if len(self._remembered) > self._MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        if known.expires <= time.time():
            del self._remembered[token, audience]
            raise Unauthenticated("the token has expired; log in again")
        if known.session in self._ends:
            raise Unauthenticated("the session, or the API key, has ended; log in again")
        return known.holder

    def _is_withdrawn(self, kid: str) -> bool:
        """What is remembered ends with the key that made it true."""
        keys = self._keys.known()
        return keys is not None and kid not in keys

    async def _verify(self, token: str, audience: Audience) -> tuple[str, Claims]:
        try:
            if len(token) > _LONGEST:
                raise jwt.InvalidTokenError(f"it is longer than {_LONGEST} characters")
            header = jwt.get_unverified_header(token)
            if header.get("typ") != TOKEN_TYPE:
                raise jwt.InvalidTokenError("not an access token")
            kid = str(header.get("kid"))
            claims = jwt.decode(
                token,
                await self._key(kid),
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=ISSUER,
                leeway=_CLOCK_SKEW,
                options={"require": [*_TYPES]},
            )
            _check(claims)
            return kid, claims
        except jwt.ImmatureSignatureError as cause:
            raise Unauthenticated(
                f"the token is of the future: auth's clock and the one here differ by more than {_CLOCK_SKEW} s"
            ) from cause
        except jwt.ExpiredSignatureError as cause:
            raise Unauthenticated("the token has expired; log in again") from cause
        except (jwt.InvalidTokenError, ValueError, RecursionError) as cause:
            raise Unauthenticated(f"the token is not valid: {cause}") from cause

    async def _key(self, kid: str) -> jwt.PyJWK:
        keys = await self._keys.get(suits=lambda keys: kid in keys)
        if keys is None:
            raise Unavailable("auth's public keys cannot be fetched; try again")
        if kid not in keys:
            raise jwt.InvalidTokenError("it is signed with an unknown key")
        return keys[kid]

    async def _fetch(self) -> Fresh[Keys]:
        found = await self._jwks()
        await self._ends.catch_up()
        return Fresh(
            {key.kid: jwt.PyJWK(msgspec.to_builtins(key)) for key in found.keys}, renew_after=self._check_every
        )


def _check(claims: Claims) -> None:
    """What the library leaves to whoever uses it (RFC 8725, sections 3.8 to 3.10)."""
    for name, type_ in _TYPES.items():
        if type(claims[name]) is not type_:
            raise jwt.InvalidTokenError(f"its {name} is of another type than ours")
    if claims["exp"] - claims["iat"] > LONGEST_LIFE:
        raise jwt.InvalidTokenError(f"it is good for longer than {LONGEST_LIFE} s")


def _actor(claims: Claims, token: str) -> Actor:
    try:
        session = UUID(claims["sid"]) if "sid" in claims else None
        scopes = frozenset(claims["scope"].split()) if "scope" in claims else None
        return Actor(UUID(claims["sub"]), Role(claims["role"]), token, session, scopes)
    except (KeyError, ValueError, AttributeError, TypeError) as cause:
        raise Unauthenticated("the token does not name a user and a role") from cause


def _caller(claims: Claims, _token: str) -> Caller | None:
    """None for a person."""
    if claims["aud"] == SHOP:
        return None
    return Caller(claims["sub"], frozenset(str(claims.get("scope", "")).split()))


def bearer_token(header: str | None) -> str:
    """The token in an Authorization header (RFC 6750); raises `Unauthenticated` without one."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("send an access token: Authorization: Bearer <token>")
    return token.strip()

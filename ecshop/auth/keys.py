"""The shop's signing key: an Ed25519 key, what it signs, and how it is written (RFC 8037, RFC 9068)."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Sequence
from typing import Any, Final, Protocol
from uuid import UUID

import jwt
import msgspec
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from uuid_utils.compat import uuid7

from ecshop.auth.key_ring import held_in
from ecshop.kernel.clock import now
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Role
from ecshop.kernel.tokens import ALGORITHM, ISSUER, SHOP, TOKEN_TYPE, Jwk, JwkSet

log = structlog.get_logger("auth")

_MEND: Final = "bring back the right one, or move it away and a new one is made (everybody has to log in again)"


class SigningKeyUnusable(EcshopError, code="auth.signing_key_unusable", status=500):
    """The place of the signing key holds something else."""


class SigningKey:
    """Signs access tokens as RFC 9068 profiles them; the key id is the key's thumbprint (RFC 7638)."""

    def __init__(self, key: Ed25519PrivateKey, others: Sequence[SigningKey] = ()) -> None:
        """`others` are published with it: the one that signs next, and those whose tokens are still about."""
        self._key = key
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        x = _base64url(public)
        thumbprint = hashlib.sha256(msgspec.json.encode({"crv": "Ed25519", "kty": "OKP", "x": x})).digest()
        self.public = Jwk(kid=_base64url(thumbprint), x=x)
        self.jwks = JwkSet((self.public, *(other.public for other in others)))

    def token_for_user(
        self, user_id: UUID, role: Role, seconds: float, session: UUID | None = None, scope: str | None = None
    ) -> str:
        """It ends with its `session`, a login or an API key; without one, when its time is over. `scope` is a key's."""
        bounds = {"sid": session and str(session), "scope": scope}
        given = {name: value for name, value in bounds.items() if value is not None}
        return self._sign(str(user_id), SHOP, seconds, role=role.value, **given)

    def token_for_service(self, name: str, audience: str, scope: str, seconds: float) -> str:
        return self._sign(name, audience, seconds, scope=scope)

    def _sign(self, subject: str, audience: str, seconds: float, **claims: Any) -> str:
        issued = int(time.time())
        standard = {
            "iss": ISSUER,
            "aud": audience,
            "sub": subject,
            "iat": issued,
            "exp": issued + int(seconds),
            "jti": str(uuid7()),
        }
        headers = {"kid": self.public.kid, "typ": TOKEN_TYPE}
        return jwt.encode(standard | claims, self._key, algorithm=ALGORITHM, headers=headers)


def tell_of_change(before: SigningKey | None, after: SigningKey) -> None:
    """In the log, where another key signs from now on."""
    if before is None or before.public == after.public:
        return
    if before.public in after.jwks.keys:
        log.info("another key signs from now on; what the last one has signed stays good", kid=after.public.kid)
    else:
        log.warning("another key signs from now on; what others have signed is refused", kid=after.public.kid)


class KeyInUse(Protocol):
    """The key of a place, where it may be replaced while auth runs."""

    async def current(self) -> SigningKey:
        """Raises `SigningKeyUnusable`, or `Unavailable` while its place does not answer."""
        ...

    async def watch(self) -> None:
        """Take over the key that is there, until cancelled."""
        ...


class GivenKey:
    """One that somebody else keeps: it is another one when auth is started anew with it."""

    def __init__(self, pem: str, where: str) -> None:
        """Raises `SigningKeyUnusable`."""
        self._key = read_key(pem.encode(), where)

    async def current(self) -> SigningKey:
        return self._key

    async def watch(self) -> None:
        """There is nothing to see."""


def new_key() -> bytes:
    """In PEM, as PKCS 8 has it."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key(pem: bytes, where: object) -> SigningKey:
    """The first of one or more keys, with those that are published beside it.

    Raises `SigningKeyUnusable`, which names `where` they are.
    """
    try:
        held = [one for one in held_in(pem.decode()) if not one.is_over(now())]
    except ValueError as cause:
        raise SigningKeyUnusable(f"{where} holds no private key that can be read; {_MEND}") from cause
    first, *others = [_private_key(one.pem.encode(), where) for one in held] or [_private_key(pem, where)]
    return SigningKey(first, [SigningKey(other) for other in others])


def _private_key(pem: bytes, where: object) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise SigningKeyUnusable(f"{where} holds no private key that can be read; {_MEND}") from cause
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyUnusable(f"{where} holds a key of another kind than Ed25519; {_MEND}")
    return key


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")

"""Which services there are, and how one proves that it is who it says: by a secret, or by what it has signed."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ecshop.auth.client_credentials import ServiceTokenRequest
from ecshop.auth.contract import InvalidClient
from ecshop.kernel.tokens import ALGORITHM, ISSUER

_TYPE: Final = "client-authentication+jwt"
_LONGEST_LIFE: Final = 60
"""Seconds for which an assertion may be good."""
_CLOCK_SKEW: Final = 30  # seconds
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat", "jti")

ByService = Mapping[str, Sequence[str]]
"""Secrets, or public keys, of each service: one, or two while it is being replaced."""


class Clients:
    """Both are asked for whenever somebody proves himself: they may change while auth runs."""

    def __init__(self, secrets: Callable[[], ByService], public_keys: Callable[[], ByService]) -> None:
        """A public key is the `x` of its JWK (RFC 8037, section 2)."""
        self._secrets, self._public_keys = secrets, public_keys
        self._used: dict[str, float] = {}

    def check(self, request: ServiceTokenRequest) -> None:
        """Raises `InvalidClient`."""
        if isinstance(request.client_assertion, str):
            self._check_assertion(request.client_id, request.client_assertion)
        elif not self._is_secret_of(request.client_id, request.client_secret or ""):
            raise InvalidClient("unknown service or wrong secret", error="invalid_client")

    def _is_secret_of(self, service: str, presented: str) -> bool:
        known = self._secrets().get(service, ())
        return any(hmac.compare_digest(secret.encode(), presented.encode()) for secret in known)

    def _check_assertion(self, service: str, assertion: str) -> None:
        """By RFC 7523, section 3: of the service itself, for this shop, and good for once."""
        for public_key in self._public_keys().get(service, ()):
            claims = _claims(service, assertion, public_key)
            if claims is not None and self._is_first_use(claims["jti"], claims["exp"]):
                return
        raise InvalidClient("unknown service, or an assertion that is not good, or no longer", error="invalid_client")

    def _is_first_use(self, id_: str, expires: float) -> bool:
        """As far as this process has seen."""
        moment = time.time() - _CLOCK_SKEW
        self._used = {used: end for used, end in self._used.items() if end > moment}
        is_first = id_ not in self._used
        self._used[id_] = expires
        return is_first


def sign_assertion(service: str, private_key: str) -> str:
    """With an Ed25519 key in PEM, for one request."""
    issued = int(time.time())
    claims = {
        "iss": service,
        "sub": service,
        "aud": ISSUER,
        "iat": issued,
        "exp": issued + _LONGEST_LIFE,
        "jti": str(uuid4()),
    }
    return jwt.encode(claims, private_key, algorithm=ALGORITHM, headers={"typ": _TYPE})


def is_private_key(pem: str) -> bool:
    """Whether a service can sign with it."""
    try:
        return isinstance(load_pem_private_key(pem.encode(), password=None), Ed25519PrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def _claims(service: str, assertion: str, public_key: str) -> dict[str, Any] | None:
    try:
        key = jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "x": public_key, "alg": ALGORITHM})
        if jwt.get_unverified_header(assertion).get("typ") != _TYPE:
            return None
        claims = jwt.decode(
            assertion,
            key,
            algorithms=[ALGORITHM],
            audience=ISSUER,
            issuer=service,
            subject=service,
            leeway=_CLOCK_SKEW,
            options={"require": list(_REQUIRED), "strict_aud": True},
        )
    except (jwt.InvalidTokenError, jwt.PyJWKError, ValueError, RecursionError):
        return None
    is_short = isinstance(claims["jti"], str) and claims["exp"] - claims["iat"] <= _LONGEST_LIFE
    return claims if is_short else None

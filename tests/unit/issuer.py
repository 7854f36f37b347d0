"""Auth at the other end of a wire, with its key, and whatever can be forged."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from uuid_utils.compat import uuid7

from ecshop.auth.keys import SigningKey
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.identity import Role
from ecshop.kernel.tokens import JwkSet


class Issuer:
    """Auth's key, and whatever can be forged with or without it."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.key = SigningKey(self.private)

    def token(self, role: Role = Role.CUSTOMER, seconds: float = 60) -> str:
        return self.key.token_for_user(uuid7(), role, seconds)

    def forged(
        self, secret: Any = None, *, algorithm: str = "EdDSA", without: str = "", typ: str = "at+jwt", **claims: Any
    ) -> str:
        """A token that would be good but for what is given."""
        issued = int(time.time())
        good = {"iss": "ecshop", "aud": "ecshop", "sub": str(uuid7()), "role": "customer", "jti": str(uuid7())}
        claims = good | {"iat": issued, "exp": issued + 60} | claims
        claims.pop(without, None)
        headers = {"kid": self.key.public.kid, "typ": typ}
        return jwt.encode(claims, self.private if secret is None else secret, algorithm=algorithm, headers=headers)


class KeySource:
    """Stands for auth at the other end of a wire: it counts what it is asked, and can be away or hang."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys, self.calls = list(keys), 0
        self.away = self.hangs = False

    async def __call__(self) -> JwkSet:
        self.calls += 1
        await asyncio.sleep(3600 if self.hangs else 0)
        if self.away:
            raise Unavailable("auth does not answer")
        return JwkSet(tuple(key.public for key in self.keys))

"""Tokens that say nothing: which row they are of, and a secret that is kept as its hash alone."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Final
from uuid import UUID

SECRET_BYTES: Final = 32
_ID_BYTES: Final = 16


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def written(prefix: str, id_: UUID, secret: bytes) -> str:
    return prefix + base64.urlsafe_b64encode(id_.bytes + secret).decode().rstrip("=")


def read(prefix: str, token: str) -> tuple[UUID, bytes] | None:
    """The id and the secret; None for what is no such token."""
    try:
        whole = base64.b64decode(token.removeprefix(prefix), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(whole) != _ID_BYTES + SECRET_BYTES or not token.startswith(prefix):
        return None
    return UUID(bytes=whole[:_ID_BYTES]), whole[_ID_BYTES:]


def hash_of(secret: bytes) -> bytes:
    """Of what is random already: nothing slows down guesses at 256 bits further (ASVS 5, 11.4.2)."""
    return hashlib.sha256(secret).digest()

"""The shop's signing key: an Ed25519 key in a file of its own, made on the first start."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import time
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final
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

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.file_lock import FileUnusable
from ecshop.kernel.identity import Role
from ecshop.kernel.tokens import ALGORITHM, ISSUER, SHOP, TOKEN_TYPE, Jwk, JwkSet

log = structlog.get_logger("auth")

FILE: Final = "signing-key.pem"
_LOOK_EVERY: Final = 0.5  # seconds
_MEND: Final = "bring back the right one, or move it away and a new one is made (everybody has to log in again)"


class SigningKeyUnusable(EcshopError, code="auth.signing_key_unusable", status=500):
    """The file of the signing key holds something else."""


class SigningKey:
    """Signs access tokens as RFC 9068 profiles them; the key id is the key's thumbprint (RFC 7638)."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        x = _base64url(public)
        thumbprint = hashlib.sha256(msgspec.json.encode({"crv": "Ed25519", "kty": "OKP", "x": x})).digest()
        self.public = Jwk(kid=_base64url(thumbprint), x=x)

    @property
    def jwks(self) -> JwkSet:
        return JwkSet((self.public,))

    def token_for_user(self, user_id: UUID, role: Role, seconds: float) -> str:
        return self._sign(str(user_id), SHOP, seconds, role=role.value)

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


def signing_key_in(folder: Path) -> SigningKey:
    """The folder's key, made if there is none yet; only its owner can read it.

    Raises `SigningKeyUnusable`, or `FileUnusable` for a folder that cannot be read or written.
    """
    file = folder / FILE
    try:
        if not file.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(file, Ed25519PrivateKey.generate())
        return _read(file)
    except OSError as cause:
        raise FileUnusable.by(cause, file) from cause


def replace_signing_key(folder: Path) -> SigningKey:
    """A new key in the place of the folder's own: tokens of the old one are good no longer. Raises `FileUnusable`."""
    file = folder / FILE
    try:
        draft = _draft(file, Ed25519PrivateKey.generate())
        draft.replace(file)
        _sync_folder(folder)
        return _read(file)
    except OSError as cause:
        raise FileUnusable.by(cause, file) from cause


class KeyInUse:
    """The key of a folder, which may be replaced while auth runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.key, self._known = signing_key_in(folder), _identity(folder / FILE)

    async def watch(self) -> None:
        """Take over the key that is there, until cancelled; without one the last one stays."""
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            found = _identity(self._folder / FILE)
            if found != self._known:
                self._known = found
                self._take_over()

    def _take_over(self) -> None:
        try:
            self.key = _read(self._folder / FILE)
        except (OSError, SigningKeyUnusable) as cause:
            log.error("the signing key cannot be read; the last one stays in use", error=str(cause))
        else:
            log.warning("another key signs from now on; what others have signed is refused", kid=self.key.public.kid)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read(file: Path) -> SigningKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as cause:
        raise SigningKeyUnusable(f"{file} holds no private key that can be read; {_MEND}") from cause
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyUnusable(f"{file} holds a key of another kind than Ed25519; {_MEND}")
    return SigningKey(key)


def _write(file: Path, key: Ed25519PrivateKey) -> None:
    """The first of two writers wins."""
    draft = _draft(file, key)
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    _sync_folder(file.parent)


def _draft(file: Path, key: Ed25519PrivateKey) -> Path:
    """Under another name first, so that nobody ever reads half a key."""
    descriptor, name = mkstemp(prefix=f"{file.stem}.", dir=file.parent)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        opened.flush()
        os.fsync(opened.fileno())
    return Path(name)


def _sync_folder(folder: Path) -> None:
    """A name in a folder outlives a power failure only when the folder is written too (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")

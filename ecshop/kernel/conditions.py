"""Under which conditions a change is made: once for a key, and only to what the caller has seen."""

from __future__ import annotations

import base64
import hashlib
from typing import Final, NamedTuple

import msgspec

from ecshop.kernel.errors import EcshopError

_TAG_BYTES: Final = 12
ANY: Final = ("*",)
"""Tags of whatever there is."""


class IdempotencyKeyReused(EcshopError, code="request.idempotency_key_reused", status=422):
    """The Idempotency-Key belongs to another request of yours."""


class PreconditionFailed(EcshopError, code="request.precondition_failed", status=412):
    """It has changed since you saw it: its ETag is none of If-Match. Get it again, and decide anew."""


class Repeat(NamedTuple):
    """A request that may come again: who sent it under which key, and what it asks for; each is a hash."""

    key: bytes
    fingerprint: bytes


class Conditions(NamedTuple):
    repeat: Repeat | None = None
    seen: tuple[str, ...] = ANY
    """Entity tags (RFC 9110, section 13.1.1), without their quotes: what is changed has to have one of them."""

    def require_seen(self, current: msgspec.Struct) -> None:
        """Raises `PreconditionFailed`."""
        if self.seen != ANY and tag_of(current) not in self.seen:
            raise PreconditionFailed


UNCONDITIONAL: Final = Conditions()


def tag_of(value: msgspec.Struct) -> str:
    """The same for what reads the same: a strong entity tag (RFC 9110, section 8.8.3), without its quotes."""
    digest = hashlib.sha256(msgspec.json.encode(value)).digest()
    return base64.urlsafe_b64encode(digest[:_TAG_BYTES]).decode()

"""The signing key in auth's database: where that is on a server, and all replicas have to sign by the same one."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from ecshop.auth.keys import SigningKey, SigningKeyUnusable, new_key, read_key, tell_of_change
from ecshop.auth.models import SigningKeyRow
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Unavailable

log = structlog.get_logger("auth")

_WHERE: Final = "auth's table signing_key"
_ONLY: Final = 1
_LOOK_EVERY: Final = 1.0  # seconds


def signing_key_of(session: Session) -> SigningKey:
    """Made if there is none yet: of two who make one, the second meets the first one's row, and is asked to try again.

    Raises `SigningKeyUnusable`.
    """
    pem = pem_in(session)
    if pem is None:
        pem = new_key().decode()
        session.add(SigningKeyRow(id=_ONLY, pem=pem, made_at=now()))
        session.flush()
    return read_key(pem.encode(), _WHERE)


def replace_signing_key_of(session: Session) -> SigningKey:
    """A new key in the place of the old one: tokens of that are good no longer."""
    pem = new_key().decode()
    keep_signing_key(session, pem)
    return read_key(pem.encode(), _WHERE)


def keep_signing_key(session: Session, pem: str) -> None:
    """In the place of the one that is there."""
    session.merge(SigningKeyRow(id=_ONLY, pem=pem, made_at=now()))


def pem_in(session: Session) -> str | None:
    """None before one was made."""
    return session.scalar(select(SigningKeyRow.pem))


class KeyOfDatabase:
    """Satisfies `KeyInUse`. While the database does not answer, the last key stays in use."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._key: SigningKey | None = None

    async def current(self) -> SigningKey:
        if self._key is None:
            self._key = await self._db.write(signing_key_of)
        return self._key

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                pem = await self._db.read(pem_in)
                if pem is not None:
                    self._take_over(read_key(pem.encode(), _WHERE))
            except (Unavailable, SigningKeyUnusable) as cause:
                log.error("the signing key cannot be read; the last one stays in use", error=str(cause))

    def _take_over(self, key: SigningKey) -> None:
        before, self._key = self._key, key
        tell_of_change(before, key)

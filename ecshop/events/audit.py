"""Who did what, on what, and how it was before: noted in the transaction of what it tells of, and never changed.

Each entry has the hash of the one before it in its own, so that whoever changes one, or takes one out, has to make all
later ones anew (NIST SP 800-92, section 2.3.2; the construction is Haber and Stornetta's, 1991).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from ecshop.events.tables import AuditRow
from ecshop.kernel.clock import now
from ecshop.kernel.identity import Actor
from ecshop.kernel.telemetry.logs import request_fields, request_id

COMMAND_LINE: Final = "command line"
"""In the place of a role: whoever can write the database."""
_FIRST: Final = bytes(32)
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('ecshop audit'))")
_AT_ONCE: Final = 1000


class Broken(NamedTuple):
    """The first entry that is not as it was noted, or that stands where one is missing."""

    seq: int
    at: datetime


def note(
    session: Session,
    actor: Actor | None,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    role: str = "",
) -> None:
    """`role` says who it was where there is no `actor`."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_ONE_AT_A_TIME)
    client = (request_fields.get() or {}).get("client")
    row = AuditRow(
        at=now(),
        actor=actor.user_id if actor else None,
        role=actor.role.value if actor else role,
        session=actor.session if actor else None,
        address=str(client or ""),
        request_id=request_id.get(),
        action=action,
        subject=subject,
        before=_written(before),
        after=_written(after),
    )
    last = session.scalar(select(AuditRow.hash).order_by(AuditRow.seq.desc()).limit(1))
    row.hash = _hash(last or _FIRST, row)
    session.add(row)
    session.flush()


def verify(session: Session) -> tuple[int, Broken | None]:
    """How many entries are as they were noted, and the first that is not."""
    good, last, hash_ = 0, 0, _FIRST
    while True:
        rows = session.scalars(select(AuditRow).where(AuditRow.seq > last).order_by(AuditRow.seq).limit(_AT_ONCE)).all()
        for row in rows:
            hash_ = _hash(hash_, row)
            if row.hash != hash_:
                return good, Broken(row.seq, row.at)
            good, last = good + 1, row.seq
        if len(rows) < _AT_ONCE:
            return good, None
        session.expunge_all()


def _hash(before: bytes, row: AuditRow) -> bytes:
    told = (
        row.at,
        row.actor,
        row.role,
        row.session,
        row.address,
        row.request_id,
        row.action,
        row.subject,
        row.before,
        row.after,
    )
    return hashlib.sha256(before + msgspec.json.encode(told)).digest()


def _written(values: Mapping[str, Any] | None) -> str | None:
    return None if values is None else msgspec.json.encode(values).decode()

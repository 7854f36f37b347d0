"""What is done about dead letters. Each function runs inside somebody's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, LargeBinary, func, literal, or_, select
from sqlalchemy.orm import Session

from ecshop.events.catalog import CATALOG
from ecshop.events.envelope import from_bytes
from ecshop.events.tables import DeadLetter, Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.keyset import Keyset
from ecshop.kernel.validation import wrong
from ecshop.kernel.values import Page
from ecshop.oversight.contract import DeadLetterNotFound, DeadLetterUndecodable, Letter, LetterFilter

_NEWEST_FIRST = Keyset("-failed_at", DeadLetter.failed_at, DeadLetter.event_id)


def all_letters(session: Session) -> list[DeadLetter]:
    """Oldest first."""
    return list(session.scalars(select(DeadLetter).order_by(DeadLetter.failed_at)))


def list_letters(session: Session, wanted: LetterFilter, cursor: str | None, limit: int) -> Page[Letter]:
    """Newest first. Raises `InvalidCursor`."""
    return _NEWEST_FIRST.fetch(session, select(DeadLetter), cursor, limit, _letter, within=_those(session, wanted))


def get_letter(session: Session, event_id: str) -> Letter:
    """Raises `DeadLetterNotFound`."""
    return _letter(_find(session, event_id))


def replayable(session: Session, wanted: LetterFilter, limit: int) -> Sequence[str]:
    """The ids of those that are events, oldest first."""
    those = DeadLetter.type.in_(list(CATALOG)), *_those(session, wanted)
    return session.scalars(
        select(DeadLetter.event_id).where(*those).order_by(DeadLetter.failed_at, DeadLetter.event_id).limit(limit)
    ).all()


def replay(session: Session, event_id: str, data: Any = msgspec.UNSET) -> None:
    """Put the event into this database's outbox: its bus brings it back to the consumer that gave it up.

    Other consumers that hear it again have it in their inbox. Raises `DeadLetterNotFound`, `DeadLetterUndecodable`, or
    `InvalidRequest` for `data` that is not of its type.
    """
    letter = _find(session, event_id, to_end=True)
    if letter.type not in CATALOG:
        raise DeadLetterUndecodable(f"{event_id} is no event that could be tried again; discard it")
    _put_back(session, letter, letter.body if data is msgspec.UNSET else _edited(letter, data))


def replay_those(session: Session, consumer: str, event_ids: Sequence[str]) -> Sequence[str]:
    """As `replay`, those of them that are still there and that nobody else ends right now; their ids."""
    those = DeadLetter.consumer == consumer, DeadLetter.event_id.in_(event_ids)
    letters = session.scalars(select(DeadLetter).where(*those).with_for_update(skip_locked=True)).all()
    for letter in letters:
        _put_back(session, letter, letter.body)
    return [letter.event_id for letter in letters]


def discard(session: Session, event_id: str) -> None:
    """Raises `DeadLetterNotFound`."""
    session.delete(_find(session, event_id, to_end=True))


def read_body(body: bytes) -> Any:
    """As JSON, or the text itself of what is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")


def _those(session: Session, wanted: LetterFilter) -> list[ColumnElement[bool]]:
    those = [] if wanted.type is None else [DeadLetter.type == wanted.type]
    if wanted.failed_before is not None:
        those.append(DeadLetter.failed_at < wanted.failed_before)
    if wanted.q:
        parts = {wanted.q.encode(), wanted.q.lower().encode()}
        in_body = [_has_bytes(session, part) for part in parts]
        those.append(or_(DeadLetter.error.icontains(wanted.q, autoescape=True), *in_body))
    return those


def _has_bytes(session: Session, part: bytes) -> ColumnElement[bool]:
    if session.get_bind().dialect.name == "sqlite":
        return func.instr(DeadLetter.body, part) > 0
    return func.position(literal(part, LargeBinary).op("IN")(DeadLetter.body)) > 0


def _edited(letter: DeadLetter, data: Any) -> bytes:
    try:
        written = msgspec.json.encode(data)
        msgspec.json.decode(written, type=CATALOG[letter.type])
    except msgspec.ValidationError as cause:
        raise wrong("data", f"is none of {letter.type}: {cause}") from cause
    return msgspec.json.encode(replace(from_bytes(letter.body), data=msgspec.Raw(written)))


def _letter(row: DeadLetter) -> Letter:
    envelope = read_body(row.body)
    return Letter(row.event_id, row.type, row.error, row.attempts, row.times, row.failed_at, envelope)


def _put_back(session: Session, letter: DeadLetter, body: bytes) -> None:
    session.add(Outbox(event_id=letter.event_id, type=letter.type, body=body, recorded_at=now(), attempts=0))
    session.delete(letter)


def _find(session: Session, event_id: str, *, to_end: bool = False) -> DeadLetter:
    """To end it: nobody else does meanwhile."""
    query = select(DeadLetter).where(DeadLetter.event_id == event_id)
    letter = session.scalar(query.with_for_update() if to_end else query)
    if letter is None:
        raise DeadLetterNotFound(f"there is no dead letter {event_id}")
    return letter

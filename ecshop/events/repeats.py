"""What the inbox is for events, for requests with an idempotency key: each is carried out once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import msgspec
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from ecshop.events.tables import Answer
from ecshop.kernel.clock import now
from ecshop.kernel.conditions import IdempotencyKeyReused, Repeat
from ecshop.kernel.db.columns import affected_rows

T = TypeVar("T", bound=msgspec.Struct)
P = ParamSpec("P")

_INSERT: Final[dict[str, Callable[..., Any]]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def once(
    session: Session,
    repeat: Repeat | None,
    type_: type[T],
    change: Callable[Concatenate[Session, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """What `change` answers, or has answered to the same request before; what failed has changed nothing, and is tried
    again.

    A second one that comes while the first is running waits for it. Raises `IdempotencyKeyReused`.
    """
    if repeat is None:
        return change(session, *args, **kwargs)
    if not _claim(session, repeat):
        return _answered(session, repeat, type_)
    answer = change(session, *args, **kwargs)
    kept = update(Answer).where(Answer.key == repeat.key).values(answer=msgspec.msgpack.encode(answer))
    session.execute(kept)
    return answer


def purge(session: Session, oldest: datetime, most: int) -> int:
    """Forget some of the answers that were given before; returns how many."""
    old = select(Answer.key).where(Answer.made_at < oldest).limit(most)
    forgotten = delete(Answer).where(Answer.key.in_(old))
    return affected_rows(session.execute(forgotten, execution_options={"synchronize_session": False}))


def _claim(session: Session, repeat: Repeat) -> bool:
    insert = _INSERT[session.get_bind().dialect.name]
    row = insert(Answer).values(key=repeat.key, fingerprint=repeat.fingerprint, answer=b"", made_at=now())
    return session.execute(row.on_conflict_do_nothing().returning(Answer.key)).first() is not None


def _answered(session: Session, repeat: Repeat, type_: type[T]) -> T:
    known = session.get_one(Answer, repeat.key)
    if known.fingerprint != repeat.fingerprint:
        raise IdempotencyKeyReused("you have sent this Idempotency-Key with another request; take a new one for each")
    return msgspec.msgpack.decode(known.answer, type=type_)

"""One transaction for what is asked together, and an outcome for each who asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from ecshop.kernel.db.engine import is_down
from ecshop.kernel.deadline import Deadline
from ecshop.kernel.errors import Aborted, EcshopError, Unavailable

log = structlog.get_logger("database")

Run = Callable[[Session, Sequence[Any]], Sequence[Any]]

TOO_LATE: Final = "its time was over before it could be begun; try again"
AWAY: Final = "the database does not answer; try again"


class Overtaken(Exception):
    """Raised by what has seen too late what another writer has committed: it is served again, and sees it in time."""


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """Items for `run`. What is `shared` and waits for the same `run` goes to it in one call and one transaction.

    The answer is an outcome for each item; that of an item that failed is the exception.
    """

    run: Run
    items: Sequence[Any]
    shared: bool
    answer: asyncio.Future[Sequence[Any]]
    deadline: Deadline


class Asked(NamedTuple):
    item: Any
    deadline: Deadline


class Served(NamedTuple):
    """An outcome for each item, whether any of them was committed, and whether the whole database has failed."""

    outcomes: Sequence[Any]
    committed: bool = False
    is_down: bool = False


def serve(session: Session, run: Run, asked: Sequence[Asked], *, again: bool = True) -> Served:
    """One transaction for all; when it fails, one for each, so that none fails for a neighbour's sake.

    What nobody waits for any more once the transaction has begun is `Aborted`. A single item that was `Overtaken`, or
    meets a row which another writer has just added, is tried again: now it sees the row.
    """
    committing = False
    try:
        with session.begin():
            session.connection()
            outcomes = _run(session, run, asked)
            committing = True
        return Served(outcomes, committed=True)
    except Exception as error:
        if isinstance(error, DBAPIError) and is_down(error):
            return Served([failed(error, committing)] * len(asked), is_down=True)
        if len(asked) > 1:
            return _one_by_one(session, run, asked)
        if again and isinstance(error, IntegrityError | Overtaken):
            return serve(session, run, asked, again=False)
        return Served([failed(error, committing)])
    finally:
        session.expunge_all()


def _run(session: Session, run: Run, asked: Sequence[Asked]) -> Sequence[Any]:
    moment = time.monotonic()
    items = [item for item, deadline in asked if deadline.ends > moment]
    outcomes = run(session, items) if items else ()
    if len(outcomes) != len(items):
        raise TypeError(f"{len(outcomes)} outcomes for {len(items)} items")
    if len(items) == len(asked):
        return outcomes
    in_time = iter(outcomes)
    return [next(in_time) if deadline.ends > moment else Aborted(TOO_LATE) for _, deadline in asked]


def _one_by_one(session: Session, run: Run, asked: Sequence[Asked]) -> Served:
    """When the database does not answer one item, the others need not wait for their own time-out to hear it."""
    outcomes: list[Any] = []
    committed = False
    for one in asked:
        served = serve(session, run, [one])
        outcomes += served.outcomes
        committed |= served.committed
        if served.is_down or isinstance(outcomes[-1], Unavailable):
            outcomes += [outcomes[-1]] * (len(asked) - len(outcomes))
            return Served(outcomes, committed, served.is_down)
    return Served(outcomes, committed)


def failed(error: Exception, committing: bool = False) -> Exception:
    """What the caller is told: `Aborted`, unless a commit was on its way, of which nobody knows whether it came."""
    if isinstance(error, EcshopError) or not isinstance(error, DBAPIError):
        return error
    if not (isinstance(error, OperationalError) or is_down(error)):
        return error
    log.error("the database failed", error=str(error.orig))
    failed = Unavailable(AWAY) if committing else Aborted(AWAY)
    failed.__cause__ = error
    return failed

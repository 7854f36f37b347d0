"""One transaction for what is asked together, and an outcome for each who asked."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from ecshop.kernel.db.engine import is_collision, is_down
from ecshop.kernel.deadline import Deadline
from ecshop.kernel.errors import Aborted, EcshopError, Unavailable

log = structlog.get_logger("database")

Run = Callable[[Session, Sequence[Any]], Sequence[Any]]

TOO_LATE: Final = "its time was over before it could be begun; try again"
AWAY: Final = "the database does not answer; try again"
_AGAIN: Final = 3  # times
_ASIDE: Final = 0.02  # seconds, at most
_NOTIFIES: Final = "notifies"


class Overtaken(Exception):
    """Raised by what has seen too late what another writer has committed: it is served again, and sees it in time."""


class Work(NamedTuple):
    """Items for `run`. What is `shared` and waits for the same `run` goes to it in one call and one transaction.

    The answer is an outcome for each item; that of an item that failed is the exception.
    """

    run: Run
    items: Sequence[Any]
    shared: bool
    answer: asyncio.Future[Sequence[Any]]
    deadline: Deadline


Group = list[Work]
"""Of one `run`."""


class Served(NamedTuple):
    """An outcome for each item, whether any of them was committed, and whether the whole database has failed."""

    outcomes: Sequence[Any]
    committed: bool = False
    notifies: bool = False
    """Whether anything that was committed is news, as `notify` says."""
    is_down: bool = False


def notify(session: Session) -> None:
    """Have this transaction told to those who wait for news, once it is committed (like PostgreSQL's NOTIFY)."""
    session.info[_NOTIFIES] = True


def refused(group: Group, error: Exception, *, is_down: bool = False) -> Served:
    return Served([error] * sum(len(work.items) for work in group), is_down=is_down)


def serve(session: Session, group: Group, *, locks: bool = True, again: int = _AGAIN) -> Served:
    """One transaction for all; when it fails, one for each, so that none fails for a neighbour's sake.

    One that `locks` may wait for its beginning: what nobody waits for any more by then is `Aborted`. A single item that
    was `Overtaken`, or meets a row which another writer has just added, is tried again: now it sees the row. So are
    all together when the database has ended them for another transaction's sake: a deadlock or a serialization failure.
    """
    committing = False
    try:
        with session.begin():
            if locks:
                session.connection()
            outcomes = _run(session, group)
            committing = True
        return Served(outcomes, committed=True, notifies=_NOTIFIES in session.info)
    except Exception as error:
        if isinstance(error, DBAPIError) and is_down(error):
            return refused(group, failed(error, committing), is_down=True)
        if again and isinstance(error, DBAPIError) and is_collision(error):
            time.sleep(random.uniform(0, _ASIDE))  # noqa: S311 - else the two might meet again
            return serve(session, group, locks=locks, again=again - 1)
        if len(group) > 1 or len(group[0].items) > 1:
            return _one_by_one(session, group, locks)
        if again and isinstance(error, IntegrityError | Overtaken):
            return serve(session, group, locks=locks, again=again - 1)
        return Served([failed(error, committing)])
    finally:
        session.expunge_all()
        session.info.pop(_NOTIFIES, None)


def _run(session: Session, group: Group) -> Sequence[Any]:
    moment = time.monotonic()
    in_time = [work for work in group if work.deadline.ends > moment]
    items = [item for work in in_time for item in work.items]
    outcomes = group[0].run(session, items) if items else ()
    if len(outcomes) != len(items):
        raise TypeError(f"{len(outcomes)} outcomes for {len(items)} items")
    if len(in_time) == len(group):
        return outcomes
    told, done = iter(outcomes), {id(work) for work in in_time}
    return [next(told) if id(work) in done else Aborted(TOO_LATE) for work in group for _ in work.items]


def _one_by_one(session: Session, group: Group, locks: bool) -> Served:
    """When the database does not answer one item, the others need not wait for their own time-out to hear it."""
    waiting = deque(work._replace(items=[item]) for work in group for item in work.items)
    outcomes: list[Any] = []
    committed = notifies = False
    while waiting:
        served = serve(session, [waiting.popleft()], locks=locks)
        outcomes += served.outcomes
        committed |= served.committed
        notifies |= served.notifies
        if served.is_down or isinstance(outcomes[-1], Unavailable):
            outcomes += [outcomes[-1]] * len(waiting)
            return Served(outcomes, committed, notifies, served.is_down)
    return Served(outcomes, committed, notifies)


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

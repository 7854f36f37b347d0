"""Threads that do database work for the event loop, and do together what waits together."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from ecshop.kernel.errors import EcshopError, Unavailable

log = structlog.get_logger("database")

Run = Callable[[Session, Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """Items for `run`. What is `shared` and waits for the same `run` goes to it in one call and one transaction.

    The answer is an outcome for each item; that of an item that failed is the exception.
    """

    run: Run
    items: Sequence[Any]
    shared: bool
    answer: asyncio.Future[Sequence[Any]]


Group = list[Work]


class Served(NamedTuple):
    """An outcome for each item, and whether any of them was committed."""

    outcomes: Sequence[Any]
    committed: bool


class Lane:
    """A queue and the threads that serve it, each with a connection of its own.

    Before each transaction it has the database `check`ed, which raises what the waiting callers are then answered.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        threads: int,
        *,
        check: Callable[[], None],
        committed: Callable[[], None] | None = None,
    ) -> None:
        self._engine, self._check, self._committed = engine, check, committed
        self._gathered: list[Work] = []
        self._waiting: queue.SimpleQueue[list[Work] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        self._open = False

    def start(self) -> None:
        self._open = True
        for thread in self._threads:
            thread.start()

    def submit(self, run: Run, items: Sequence[Any], *, shared: bool) -> asyncio.Future[Sequence[Any]]:
        if not self._open:
            raise Unavailable("the database is closed")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Any]] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append(Work(run, items, shared, answer))
        return answer

    def _hand_over(self) -> None:
        """Once a turn of the event loop, all that came up in it: one wake-up of a thread, and larger groups."""
        works, self._gathered = self._gathered, []
        if works:
            self._waiting.put(works)

    async def close(self) -> None:
        """Finish what waits, then end the threads."""
        if not self._open:
            return
        self._open = False
        self._hand_over()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _serve(self) -> None:
        """Outlives whatever goes wrong: a thread that ends would leave its callers waiting for ever."""
        while works := self._take():
            try:
                with self._engine.connect() as connection, Session(connection, expire_on_commit=False) as session:
                    while works:
                        for group in _groups(works):
                            self._check()
                            items = [item for work in group for item in work.items]
                            self._answer(group, _serve(session, group[0].run, items))
                        works = self._take()
                    return
            except Exception as error:
                failures = [_seen_from_outside(error)] * sum(len(work.items) for work in works)
                self._answer(works, Served(failures, committed=False))

    def _take(self) -> list[Work]:
        """All that waits, at least one; nothing once the lane is closed."""
        works: list[Work] = []
        more = self._waiting.get()
        while more is not None:
            works += more
            try:
                more = self._waiting.get_nowait()
            except queue.Empty:
                return works
        if works:
            self._waiting.put(None)
        return works

    def _answer(self, group: Group, served: Served) -> None:
        def deliver() -> None:
            first = 0
            for work in group:
                end = first + len(work.items)
                if not work.answer.done():
                    work.answer.set_result(served.outcomes[first:end])
                first = end
            if served.committed and self._committed:
                self._committed()

        group[0].answer.get_loop().call_soon_threadsafe(deliver)


def _groups(works: Sequence[Work]) -> list[Group]:
    groups: list[Group] = []
    shared: dict[Run, Group] = {}
    for work in works:
        if work.shared and work.run in shared:
            shared[work.run].append(work)
            continue
        groups.append([work])
        if work.shared:
            shared[work.run] = groups[-1]
    return groups


def _serve(session: Session, run: Run, items: Sequence[Any], *, again: bool = True) -> Served:
    """One transaction for all items; when it fails, one for each, so that none fails for a neighbour's sake.

    A single item that meets a row which another writer has just added is tried again: now it sees the row.
    """
    try:
        with session.begin():
            outcomes = run(session, items)
            if len(outcomes) != len(items):
                raise TypeError(f"{len(outcomes)} outcomes for {len(items)} items")
        return Served(outcomes, committed=True)
    except Exception as error:
        if len(items) > 1:
            return _serve_one_by_one(session, run, items)
        if again and isinstance(error, IntegrityError):
            return _serve(session, run, items, again=False)
        return Served([_seen_from_outside(error)], committed=False)
    finally:
        session.expunge_all()


def _serve_one_by_one(session: Session, run: Run, items: Sequence[Any]) -> Served:
    """When the database does not answer one item, the others need not wait for their own time-out to hear it."""
    outcomes: list[Any] = []
    committed = False
    for item in items:
        served = _serve(session, run, [item])
        outcomes += served.outcomes
        committed |= served.committed
        if isinstance(outcomes[-1], Unavailable):
            outcomes += [outcomes[-1]] * (len(items) - len(outcomes))
            break
    return Served(outcomes, committed)


def _seen_from_outside(error: Exception) -> Exception:
    if isinstance(error, EcshopError) or not isinstance(error, OperationalError):
        return error
    log.error("the database failed", error=str(error.orig))
    unavailable = Unavailable("the database did not answer; try again")
    unavailable.__cause__ = error
    return unavailable

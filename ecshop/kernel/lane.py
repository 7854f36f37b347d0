"""Threads that do database work for the event loop, and do together what waits together."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from ecshop.kernel.errors import EcshopError, Unavailable

log = structlog.get_logger("database")

Run = Callable[[Session, Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """One item for `run`; what waits with an equal `key` goes to `run` in one call and one transaction."""

    key: Hashable
    run: Run
    item: Any
    answer: asyncio.Future[Any]


Group = list[Work]


class Lane:
    """A queue and the threads that serve it, each with a connection of its own."""

    def __init__(self, name: str, engine: Engine, threads: int, committed: Callable[[], None] | None = None) -> None:
        self._engine, self._committed = engine, committed
        self._gathered: list[Work] = []
        self._waiting: queue.SimpleQueue[list[Work] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        self._open = False

    def start(self) -> None:
        self._open = True
        for thread in self._threads:
            thread.start()

    def submit(self, key: Hashable, run: Run, item: Any) -> asyncio.Future[Any]:
        if not self._open:
            raise Unavailable("the database is closed")
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append(Work(key, run, item, answer))
        return answer

    def _hand_over(self) -> None:
        """Once a turn of the event loop, all that came up in it: one wake-up of a thread, and larger batches."""
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
                        for group in _by_key(works):
                            self._answer(group, _outcomes(session, group))
                        works = self._take()
                    return
            except Exception as error:
                failure = _seen_from_outside(error)
                self._answer(works, [failure] * len(works))

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

    def _answer(self, group: Group, outcomes: Sequence[Any]) -> None:
        def deliver() -> None:
            for work, outcome in zip(group, outcomes, strict=True):
                _tell(work.answer, outcome)
            if self._committed:
                self._committed()

        group[0].answer.get_loop().call_soon_threadsafe(deliver)


def _outcomes(session: Session, group: Group, *, again: bool = True) -> Sequence[Any]:
    """One transaction for the group; when it fails, one for each item, so that none fails for a neighbour's sake.

    A single item that meets a row which another writer has just added is tried again: now it sees the row.
    """
    try:
        with session.begin():
            outcomes = group[0].run(session, [work.item for work in group])
            if len(outcomes) != len(group):
                raise TypeError(f"{len(outcomes)} outcomes for {len(group)} items")
            return outcomes
    except Exception as error:
        if len(group) == 1:
            if again and isinstance(error, IntegrityError):
                return _outcomes(session, group, again=False)
            return [_seen_from_outside(error)]
        return _one_by_one(session, group)
    finally:
        session.expunge_all()


def _one_by_one(session: Session, group: Group) -> Sequence[Any]:
    """When the database does not answer one item, the others need not wait for their own time-out to hear it."""
    outcomes: list[Any] = []
    for work in group:
        outcomes += _outcomes(session, [work])
        if isinstance(outcomes[-1], Unavailable):
            outcomes += [outcomes[-1]] * (len(group) - len(outcomes))
            break
    return outcomes


def _tell(answer: asyncio.Future[Any], outcome: Any) -> None:
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


def _seen_from_outside(error: Exception) -> Exception:
    if isinstance(error, EcshopError) or not isinstance(error, OperationalError):
        return error
    log.error("the database failed", error=str(error.orig))
    unavailable = Unavailable("the database did not answer; try again")
    unavailable.__cause__ = error
    return unavailable


def _by_key(works: Sequence[Work]) -> list[Group]:
    groups: dict[Hashable, Group] = {}
    for work in works:
        groups.setdefault(work.key, []).append(work)
    return list(groups.values())

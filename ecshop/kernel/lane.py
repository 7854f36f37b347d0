"""Threads that do database work for the event loop, and do together what waits together."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from ecshop.kernel.errors import EcshopError, Unavailable

log = structlog.get_logger("database")

_MOST_TOGETHER: Final = 256

Run = Callable[[Session, Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """One item for `run`; what waits with an equal `key` goes to `run` in one call and one transaction."""

    key: Hashable
    run: Run
    item: Any
    answer: asyncio.Future[Any]


class Lane:
    """A queue and the threads that serve it, each with a connection of its own."""

    def __init__(self, name: str, engine: Engine, threads: int, committed: Callable[[], None] | None = None) -> None:
        self._engine, self._committed = engine, committed
        self._waiting: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        self._open = False

    def start(self) -> None:
        self._open = True
        for thread in self._threads:
            thread.start()

    def submit(self, key: Hashable, run: Run, item: Any) -> asyncio.Future[Any]:
        if not self._open:
            raise Unavailable("the database is closed")
        answer = asyncio.get_running_loop().create_future()
        self._waiting.put(Work(key, run, item, answer))
        return answer

    async def close(self) -> None:
        """Finish what waits, then end the threads."""
        if not self._open:
            return
        self._open = False
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _serve(self) -> None:
        with self._engine.connect() as connection, Session(connection, expire_on_commit=False) as session:
            while works := self._take():
                for together in _by_key(works):
                    self._answer(together, _outcomes(session, together))

    def _take(self) -> list[Work]:
        """All that waits, at least one; nothing once the lane is closed."""
        works: list[Work] = []
        work = self._waiting.get()
        while work is not None:
            works.append(work)
            if len(works) == _MOST_TOGETHER:
                return works
            try:
                work = self._waiting.get_nowait()
            except queue.Empty:
                return works
        if works:
            self._waiting.put(None)
        return works

    def _answer(self, works: Sequence[Work], outcomes: Sequence[Any]) -> None:
        def deliver() -> None:
            for work, outcome in zip(works, outcomes, strict=True):
                if work.answer.done():
                    continue
                if isinstance(outcome, Exception):
                    work.answer.set_exception(outcome)
                else:
                    work.answer.set_result(outcome)
            if self._committed:
                self._committed()

        works[0].answer.get_loop().call_soon_threadsafe(deliver)


def _outcomes(session: Session, works: Sequence[Work]) -> Sequence[Any]:
    """One transaction for all of `works`; when it fails, one for each, so that none fails for a neighbour's sake."""
    try:
        with session.begin():
            return works[0].run(session, [work.item for work in works])
    except Exception as error:
        if len(works) == 1:
            return [_seen_from_outside(error)]
        return [outcome for work in works for outcome in _outcomes(session, [work])]
    finally:
        session.expunge_all()


def _seen_from_outside(error: Exception) -> Exception:
    if isinstance(error, EcshopError) or not isinstance(error, OperationalError):
        return error
    log.error("the database failed", error=str(error.orig))
    unavailable = Unavailable("the database did not answer; try again")
    unavailable.__cause__ = error
    return unavailable


def _by_key(works: Sequence[Work]) -> list[list[Work]]:
    together: dict[Hashable, list[Work]] = {}
    for work in works:
        together.setdefault(work.key, []).append(work)
    return list(together.values())

"""Threads that do database work for the event loop, and do together what waits together."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ecshop.kernel.db.connected import Connected
from ecshop.kernel.db.engine import is_down
from ecshop.kernel.db.transaction import AWAY, TOO_LATE, Group, Run, Served, Work, failed, refused, serve
from ecshop.kernel.db.waiting import Waiting
from ecshop.kernel.deadline import FOREVER, deadline
from ecshop.kernel.errors import Aborted

log = structlog.get_logger("database")

_MOST_WAITING: Final = 2000
"""How much of the requests may wait; background work has no end, and is not counted out."""
_STUCK: Final = 8.0  # seconds of one transaction; a database that is there has answered or refused by then
_PROBE_EVERY: Final = 0.2  # seconds
_LONGEST_PAUSE: Final = 5.0  # seconds in which a thread without a connection does not ask for one
_SAYS_NO_WITHIN: Final = 1.0  # seconds
_KEEP_UP_EVERY: Final = 10.0  # seconds
_CLOSE: Final = 0.8  # seconds that the threads have to finish


class Lane:
    """A queue and the threads that serve it, each with a connection of its own.

    Before each transaction it has the database `check`ed, which raises what the waiting callers are then answered. Once
    the database is known not to answer, nobody waits for it: one thread goes on trying, by `probe`.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        threads: int,
        *,
        joins_after: float = 0,
        check: Callable[[], None],
        probe: Callable[[Session], None],
        committed: Callable[[bool], None] | None = None,
        upkeep: Callable[[Connection], None] | None = None,
    ) -> None:
        """`joins_after` is as `Waiting` says.

        `upkeep` is done now and then, between two transactions; `committed` hears of a commit, and if it is news.
        """
        self._name, self._engine = name, engine
        self.attributes: Final = {
            "db.system.name": engine.dialect.name,
            "db.namespace": Path(engine.url.database or "").stem,
            "db.operation.name": name.split(" of ", maxsplit=1)[0],
        }
        """Of the spans of what is done here, under OpenTelemetry's names."""
        self._check, self._probe, self._committed, self._upkeep = check, probe, committed, upkeep
        self._kept_up = time.monotonic()
        self._gathered: list[Work] = []
        self._waiting = Waiting(threads, joins_after)
        self._unanswered = 0
        self._began = [math.inf] * threads
        self._threads = [
            threading.Thread(target=self._serve, args=[n], name=f"{name}-{n}", daemon=True) for n in range(threads)
        ]
        self.observe: Callable[[int, float], None] | None = None
        """Told of each transaction: how many items it served, and how many seconds it took."""
        self._open = False
        self._connected = [False] * threads
        self._closed = threading.Event()
        self._is_down = self._is_stuck = False

    @property
    def waiting(self) -> int:
        """Calls that are not answered yet."""
        return self._unanswered

    def start(self) -> None:
        self._open = True
        for thread in self._threads:
            thread.start()

    def submit(self, run: Run, items: Sequence[Any], *, shared: bool) -> asyncio.Future[Sequence[Any]]:
        """Raises `Aborted` for what would wait for nothing."""
        if not self._open:
            raise Aborted("the database is closed")
        if self._is_down or self._is_stuck:
            raise Aborted(AWAY)
        until = deadline.get()
        if until is not FOREVER and self._unanswered >= _MOST_WAITING:
            raise Aborted("too much waits for the database; try again in a moment")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Any]] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append(Work(run, items, shared, answer, until))
        self._unanswered += 1
        return answer

    async def close(self) -> bool:
        """Finish what waits, then end the threads; says whether all of them did end in time."""
        if not self._open:
            return True
        self._open = False
        self._closed.set()
        self._hand_over()
        self._waiting.end()
        until = time.monotonic() + _CLOSE
        for thread in self._threads:
            await asyncio.to_thread(thread.join, max(0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _hand_over(self) -> None:
        """Once a turn of the event loop, all that came up in it: one wake-up of a thread, and larger groups."""
        works, self._gathered = self._gathered, []
        if works:
            self._waiting.put(works)
            self._is_stuck = max(self._began) < time.monotonic() - _STUCK

    def _serve(self, n: int) -> None:
        """Outlives whatever goes wrong: a thread that ends would leave its callers waiting for ever.

        A daemon: what hangs in a database must not hold up the end of the process.
        """
        connected, pause = Connected(self._engine), _PROBE_EVERY
        patience = _KEEP_UP_EVERY if self._upkeep else None
        while (works := self._waiting.take(patience)) is not None:
            found_down = is_short = False
            for group in _groups(works):
                self._began[n] = began = time.monotonic()
                served = self._surely_served(n, connected, group)
                self._began[n] = math.inf
                if self.observe:
                    self.observe(len(served.outcomes), time.monotonic() - began)
                if served.is_down and not self._is_down:
                    if self._others_go_on(began) and _nothing_was_done(served):
                        is_short = True
                        self._leave_to_others(group)
                        continue
                    self._is_down = found_down = True
                self._answer(group, served)
            self._connected[n] = connected.is_open
            if found_down:
                self._wait_until_it_answers(connected)
            elif is_short:
                with self._waiting.left_to_others():
                    self._closed.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            elif self._upkeep and time.monotonic() - self._kept_up > _KEEP_UP_EVERY:
                self._keep_up(connected, self._upkeep)
            if connected.is_open:
                pause = _PROBE_EVERY
        connected.end()

    def _surely_served(self, n: int, connected: Connected, group: Group) -> Served:
        """What a connection that broke has not done is done on the next one, once: it might be what breaks them."""
        self._connected[n] = connected.is_open
        served = self._served(n, connected, group)
        if served.is_down and self._connected[n]:
            self._connected[n] = self._was_one_connection(connected)
            if self._connected[n]:
                served = self._served(n, connected, group) if _nothing_was_done(served) else served
                return served._replace(is_down=False)
        return served

    def _others_go_on(self, began: float) -> bool:
        """A server that refuses one connection more says so at once, and goes on serving those that it has."""
        is_server = self._engine.dialect.name != "sqlite"
        return is_server and self._open and any(self._connected) and time.monotonic() - began < _SAYS_NO_WITHIN

    def _leave_to_others(self, group: Group) -> None:
        log.warning("the database refuses another connection: its others go on", lane=self._name)
        self._waiting.put_back(group)
        if not self._open:  # those who would have taken it may have ended
            self._refuse_what_waits()

    def _served(self, n: int, connected: Connected, group: Group) -> Served:
        try:
            if self._is_down:
                raise Aborted(AWAY)
            self._check()
            if all(work.deadline.left < 0 for work in group):
                raise Aborted(TOO_LATE)
            session, self._connected[n] = connected.session(), True
            return serve(session, group, locks=self._committed is not None)
        except Exception as error:
            connected.close()
            return refused(group, failed(error), is_down=isinstance(error, DBAPIError) and is_down(error))

    def _keep_up(self, connected: Connected, upkeep: Callable[[Connection], None]) -> None:
        self._kept_up = time.monotonic()
        try:
            upkeep(connected.connection())
        except Exception as error:
            connected.close()
            log.warning("the database cannot be kept up", lane=self._name, error=str(error))

    def _wait_until_it_answers(self, connected: Connected) -> None:
        since = time.monotonic()
        log.error("the database is away: what needs it is refused", lane=self._name)
        self._refuse_what_waits()
        while self._open and not self._answers(connected):
            self._refuse_what_waits()
            time.sleep(_PROBE_EVERY)
        self._is_down = False
        if self._open:
            log.info("the database is back", lane=self._name, seconds=round(time.monotonic() - since, 1))

    def _was_one_connection(self, connected: Connected) -> bool:
        """A server may end a connection and answer the next one; a file is the same for all."""
        connected.close()
        return self._engine.dialect.name != "sqlite" and self._answers(connected)

    def _answers(self, connected: Connected) -> bool:
        try:
            self._check()
            with connected.session().begin():
                self._probe(connected.session())
        except Exception:
            return False
        else:
            return True
        finally:
            connected.close()

    def _refuse_what_waits(self) -> None:
        for work in self._waiting.drain():
            self._answer([work], refused([work], Aborted(AWAY)))

    def _answer(self, group: Group, served: Served) -> None:
        def deliver() -> None:
            self._is_stuck = False
            first = 0
            for work in group:
                end = first + len(work.items)
                self._unanswered -= 1
                if not work.answer.done():
                    work.answer.set_result(served.outcomes[first:end])
                first = end
            if served.committed and self._committed:
                self._committed(served.notifies)

        with suppress(RuntimeError):  # the loop has ended meanwhile, and nobody waits
            group[0].answer.get_loop().call_soon_threadsafe(deliver)


def _nothing_was_done(served: Served) -> bool:
    return all(isinstance(outcome, Aborted) for outcome in served.outcomes)


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

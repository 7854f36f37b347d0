"""One context's database: reads on reader threads, writes on a writer, waiting work done together."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from contextvars import Context, copy_context
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar, cast

from sqlalchemy import URL, make_url
from sqlalchemy.orm import Session

from ecshop.kernel.db.engine import (
    LogLost,
    fold_large_log,
    open_engine,
    ownership,
    shown,
    stopped_after,
    try_to_read,
    try_to_write,
    writing,
)
from ecshop.kernel.db.file_guard import FileGuard
from ecshop.kernel.db.lane import Lane
from ecshop.kernel.db.lead import Lead
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.db.transaction import AWAY, Run
from ecshop.kernel.errors import Aborted, EcshopError
from ecshop.kernel.telemetry.spans import Span, span
from ecshop.kernel.telemetry.trace import trace

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_APART_WITHIN: Final = 2.0  # seconds
_WRITE_WITHIN: Final = 1.0
_ANOTHER_AFTER: Final = 0.1
"""Seconds of a writer's transactions after which another writer takes what waits meanwhile."""
_REMEMBER_A_WRITE: Final = 2.0

SetWise = Callable[[Session, Sequence[Item]], Sequence[Outcome | EcshopError]]
"""Serves many items at once and returns an outcome for each, in their order."""


class Database:
    """All SQL is synchronous and runs off the event loop, in one of five ways.

    `read` and `write` run one function in one transaction, with the context variables of their caller. `read_apart` is
    for what may take long: it has its own threads, so that no other read waits for it, and an end. `read_many` and
    `write_many` are their set-wise twins: what waits for the same function is done together. An outcome that is an
    `EcshopError` is raised to its own caller only; when the function itself raises, its items are served one by one.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        synchronous: str = "FULL",
        page_cache_mb: int = 2,
        mmap_mb: int = 0,
        connections: int = 10,
        guest: bool = False,
    ) -> None:
        """`connections` are those to a server, at least three, and one more by which a process may lead."""
        self.url, self._guest = make_url(url), guest
        self.engine = open_engine(
            self.url, synchronous=synchronous, page_cache_mb=page_cache_mb, mmap_mb=mmap_mb, guest=guest
        )
        self.on_commit: list[Callable[[], None]] = []
        self.on_notify: list[Callable[[], None]] = []
        """Told of the commits that `notify` was called in."""
        on_sqlite = self.engine.dialect.name == "sqlite"
        self._file = FileGuard(self.url)
        readers, apart, writers = (2, 1, 1) if on_sqlite else _shared_out(connections)
        self._readers = self._reading("readers", threads=readers)
        self._apart = self._reading("long reads", threads=apart)
        self._writers = Lane(
            f"writers of {shown(self.url)}",
            writing(self.engine),
            threads=writers,
            joins_after=_ANOTHER_AFTER,
            check=self._file.check,
            probe=try_to_write,
            committed=self._committed,
            upkeep=fold_large_log if on_sqlite else None,
        )
        self.lanes = {"read": self._readers, "read apart": self._apart, "write": self._writers}
        """By what each is for."""
        self.lead = Lead(self.engine)
        self._held = ExitStack()
        self._written_at = -math.inf

    def open(self, versions: Path) -> None:
        """Own the file, bring it to the newest of the schema `versions`, and start the threads.

        A guest owns nothing and migrates nothing. Raises `FileInUse`, `FileUnusable`, `LogLost` or `DatabaseUnusable`.
        """
        if not self._guest:
            if self._file.has_lost_its_log():
                raise LogLost.of(self.url)
            self._held.enter_context(ownership(self.url))
            migrate(self.engine, versions)
            self._file.remember()
        for lane in self.lanes.values():
            lane.start()

    @property
    def admits_others(self) -> bool:
        """Whether other processes may write to it, too: a SQLite file is owned by one."""
        return self.engine.dialect.name != "sqlite"

    async def read(self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = _Call(copy_context(), fn, args, kwargs)
        return cast(T, _only(await _submitted(self._readers, fn, _run_call, call, False)))

    async def read_apart(self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Raises `TookTooLong`."""
        call = _Call(copy_context(), fn, args, kwargs)
        return cast(T, _only(await _submitted(self._apart, fn, _run_within, call, False)))

    async def write(self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = _Call(copy_context(), fn, args, kwargs)
        return cast(T, _only(await _submitted(self._writers, fn, _run_call, call, False)))

    async def read_many(self, fn: SetWise[Item, Outcome], item: Item) -> Outcome:
        return cast(Outcome, _only(await _submitted(self._readers, fn, fn, item, True)))

    async def write_many(self, fn: SetWise[Item, Outcome], item: Item) -> Outcome:
        return cast(Outcome, _only(await _submitted(self._writers, fn, fn, item, True)))

    async def write_each(self, fn: SetWise[Item, Outcome], items: Sequence[Item]) -> Sequence[Outcome | Exception]:
        """`write_many` for items that come together; an error is an outcome here, whichever it is."""
        return await self._writers.submit(fn, items, shared=True) if items else []

    async def check_write(self) -> None:
        """Raises `Aborted` when no commit comes to be within a second; one that did is remembered for a while."""
        if time.monotonic() - self._written_at < _REMEMBER_A_WRITE:
            return
        try:
            async with asyncio.timeout(_WRITE_WITHIN):
                await self.write(try_to_write)
        except TimeoutError as cause:
            raise Aborted(AWAY) from cause
        self._written_at = time.monotonic()

    async def close(self) -> None:
        """Finish what waits; the writer goes last, so that SQLite folds its log back into the file.

        What hangs in the database is left to the end of the process, and the file is owned until then.
        """
        self.lead.close()
        ended = [await lane.close() for lane in self.lanes.values()]
        if all(ended):
            self.engine.dispose()
            self._held.close()

    def _reading(self, what: str, *, threads: int) -> Lane:
        name = f"{what} of {shown(self.url)}"
        return Lane(name, self.engine, threads, check=self._file.check, probe=try_to_read)

    def _committed(self, notifies: bool) -> None:
        for wake in [*self.on_commit, *(self.on_notify if notifies else ())]:
            wake()


def _shared_out(connections: int) -> tuple[int, int, int]:
    """To readers, long reads and writers."""
    apart = max(1, connections // 5)
    writers = (connections - apart + 1) // 2
    return connections - apart - writers, apart, writers


class _Call(NamedTuple):
    context: Context
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _submitted(lane: Lane, fn: Callable[..., Any], run: Run, item: Any, shared: bool) -> asyncio.Future[Sequence[Any]]:
    answer = lane.submit(run, [item], shared=shared)
    if trace.get() is not None:
        answer.add_done_callback(partial(_end, span(getattr(fn, "__name__", "call"), "client", lane.attributes)))
    return answer


def _end(own: Span, answer: asyncio.Future[Sequence[Any]]) -> None:
    """Those of a group wait for the same transaction: each span is as long as its own caller has waited."""
    if answer.cancelled():
        own.end("nobody waits for it any more")
        return
    [outcome] = answer.result()
    if isinstance(outcome, Exception):
        own.end_with(outcome)
    else:
        own.end()


def _only(outcomes: Sequence[Any]) -> Any:
    [outcome] = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _run_call(session: Session, calls: Sequence[_Call]) -> list[Any]:
    return [call.context.run(call.fn, session, *call.args, **call.kwargs) for call in calls]


def _run_within(session: Session, calls: Sequence[_Call]) -> list[Any]:
    with stopped_after(session, _APART_WITHIN):
        return _run_call(session, calls)

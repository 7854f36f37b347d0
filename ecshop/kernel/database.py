"""One context's database: reads on reader threads, writes on a writer, waiting work done together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from ecshop.kernel.engine import open_engine, ownership, writing
from ecshop.kernel.errors import EcshopError, Unavailable
from ecshop.kernel.lane import Lane
from ecshop.kernel.migration import migrate

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

Together = Callable[[Session, Sequence[Item]], Sequence[Outcome | EcshopError]]
"""Serves all waiting items set-wise and returns an outcome for each, in their order."""


class Database:
    """All SQL is synchronous and runs off the event loop, in one of four ways.

    `read` and `write` run one function in one transaction. `look_up` and `batch` are their set-wise twins: what waits
    for the same function is done together. An outcome that is an `EcshopError` is raised to its own caller only; when
    the function itself raises, its items are served one by one.
    """

    def __init__(self, url: str, *, synchronous: str = "FULL", guest: bool = False) -> None:
        self.url, self._guest = url, guest
        self.engine = open_engine(url, synchronous=synchronous, guest=guest)
        self.on_commit: list[Callable[[], None]] = []
        on_sqlite = self.engine.dialect.name == "sqlite"
        self._readers = Lane("reader", self.engine, threads=2 if on_sqlite else 4)
        self._writers = Lane("writer", writing(self.engine), threads=1 if on_sqlite else 4, committed=self._committed)
        self._held = ExitStack()

    def open(self, versions: Path) -> None:
        """Own the file, bring it to the newest of the schema `versions`, and start the threads.

        A guest owns nothing and migrates nothing. Raises `DatabaseInUse`, or `Unavailable` without a database.
        """
        if not self._guest:
            self._held.enter_context(ownership(self.url))
            try:
                migrate(self.engine, versions)
            except OperationalError as cause:
                raise Unavailable(f"cannot open {self.engine.url.render_as_string()}: {cause.orig}") from cause
        self._readers.start()
        self._writers.start()

    async def read(self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return cast(T, await self._readers.submit(object(), _alone(fn, args, kwargs), None))

    async def look_up(self, fn: Together[Item, Outcome], item: Item) -> Outcome:
        return cast(Outcome, await self._readers.submit(fn, fn, item))

    async def write(self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return cast(T, await self._writers.submit(object(), _alone(fn, args, kwargs), None))

    async def batch(self, fn: Together[Item, Outcome], item: Item) -> Outcome:
        return cast(Outcome, await self._writers.submit(fn, fn, item))

    async def close(self) -> None:
        """Finish what waits; the writer goes last, so that SQLite folds its log back into the file."""
        await self._readers.close()
        await self._writers.close()
        self.engine.dispose()
        self._held.close()

    def _committed(self) -> None:
        for wake in self.on_commit:
            wake()


def _alone(fn: Callable[..., T], args: Any, kwargs: Any) -> Callable[[Session, Sequence[None]], list[T]]:
    return lambda session, _: [fn(session, *args, **kwargs)]

"""A database that does everything at once, in its caller's thread: what is asynchronous above it runs step by step."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import StaticPool

from ecshop.events import tables
from ecshop.kernel.db.database import Database, SetWise
from ecshop.kernel.db.lead import Lead

P = ParamSpec("P")
T = TypeVar("T")
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class ListenerFailed(Exception):
    """What a listener stumbles over that is no fault of the event."""


class InlineDatabase(Database):
    """In memory, with the tables of `base` and of the events; `commits` counts its transactions.

    There is one of each base at a time: the next one empties it, and has its statements compiled already.
    """

    def __init__(self, base: type[DeclarativeBase]) -> None:
        connection, self.engine, empty = _opened(base)
        connection.deserialize(empty)
        self.on_commit, self.on_notify = [], []
        self.lead = Lead(self.engine)
        self.commits = 0
        self.fails = False

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session
        self.commits += 1

    async def read(self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with Session(self.engine, expire_on_commit=False) as session:
            return fn(session, *args, **kwargs)

    async def write(self, fn: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self.transaction() as session:
            return fn(session, *args, **kwargs)

    async def read_many(self, fn: SetWise[Item, Outcome], item: Item) -> Outcome:
        return cast(Outcome, _only(await self.read(fn, [item])))

    async def write_many(self, fn: SetWise[Item, Outcome], item: Item) -> Outcome:
        return cast(Outcome, _only(await self.write(fn, [item])))

    async def write_each(self, fn: SetWise[Item, Outcome], items: Sequence[Item]) -> Sequence[Outcome | Exception]:
        if self.fails:
            return [ListenerFailed()] * len(items)
        try:
            return await self.write(fn, items) if items else []
        except Exception as cause:
            if len(items) == 1:
                return [cause]
            return [outcome for item in items for outcome in await self.write_each(fn, [item])]

    async def close(self) -> None:
        raise NotImplementedError


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run to its end what waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise AssertionError("it waits for something")


def _only(outcomes: Sequence[Any]) -> Any:
    [outcome] = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@cache
def _opened(base: type[DeclarativeBase]) -> tuple[sqlite3.Connection, Engine, bytes]:
    """With what is in it when its tables are made."""
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA foreign_keys = ON")
    engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: connection)
    for metadata in (base.metadata, tables.Base.metadata):
        metadata.create_all(engine)
    return connection, engine, connection.serialize()

"""What an order's transactions cost its databases, in batches of each size, with nobody beside them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple
from uuid import uuid4

from sqlalchemy import TextClause, event, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ecshop.events import inbox, outbox
from ecshop.events.envelope import body_of, from_bytes, opened
from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import open_engine, writing
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.identity import Actor, Role
from ecshop.order import records
from ecshop.order.contract import Order, OrderLine
from ecshop.stock import items, settlement
from ecshop.stock.contract import Line, NewStock
from ecshop.stock.reservations import Wanted, reserve
from entrypoints.contexts import CONTEXTS
from entrypoints.databases import url_of
from entrypoints.settings import Settings

PRODUCTS: Final = 100
_UNITS: Final = 10**9
_SECONDS: Final = 3.0
"""Of each size; the first transactions of it are not counted, for they compile and prepare their statements."""
_FEWEST: Final = 20
_EVER: Final = timedelta(hours=1)
_WAL: Final = text("SELECT pg_current_wal_insert_lsn() - '0/0'")
_ANALYZE: Final = text("ANALYZE")
_SIZE: Final = text("SELECT pg_database_size(current_database())")


class Cost(NamedTuple):
    """Of one transaction: `wal` in bytes."""

    seconds: float
    statements: int
    wal: int


class Orders:
    """Orders as their services write them, in batches, by one connection to each database and nobody beside it."""

    def __init__(self, settings: Settings) -> None:
        self._statements, self._held = 0, ExitStack()
        self._sessions = {one.name: self._open(settings, one.name, one.module.MIGRATIONS) for one in CONTEXTS}
        self._is_server = self._sessions["stock"].get_bind().dialect.name != "sqlite"
        self._costs: dict[str, list[Cost]] = {}
        self._placed, self._empty = 0, self._bytes()
        with self._sessions["stock"].begin():
            for product in range(1, PRODUCTS + 1):
                items.register(self._sessions["stock"], Actor(uuid4(), Role.STAFF), NewStock(product, _UNITS))

    def measure(self, products: int, size: int, seconds: float = _SECONDS) -> Mapping[str, Cost]:
        """The median of each step."""
        which = cycle(range(1, products + 1))
        for _ in range(2):
            self._place(list(islice(which, size)))
        self._analyze()
        self._costs = {}
        until = time.monotonic() + seconds
        while time.monotonic() < until or len(self._costs.get("reserve", ())) < _FEWEST:
            self._place(list(islice(which, size)))
        medians = {step: map(median, zip(*costs, strict=True)) for step, costs in self._costs.items()}
        return {step: Cost(seconds, int(count), int(wal)) for step, (seconds, count, wal) in medians.items()}

    def bytes_an_order(self) -> float:
        """On a server's disk, with what a VACUUM would give back."""
        return (self._bytes() - self._empty) / self._placed

    def close(self) -> None:
        self._held.close()

    def _place(self, products: Sequence[int]) -> None:
        self._placed += len(products)
        orders = [_order(product) for product in products]
        wanted = [Wanted(one.id, (Line(one.lines[0].product_id, 1),), now() + _EVER) for one in orders]
        with self._step("reserve", "stock") as session:
            reserve(session, wanted)
        with self._step("record", "order") as session:
            records.record(session, [records.Placement(one, None) for one in orders])
        with self._step("relay", "order") as session:
            due = outbox.read(outbox.pending(session, len(orders)))
            outbox.settle(session, taken=[outbox.Taken(one.seq, one.event_id, "order 1700000000000-0") for one in due])
        envelopes = [from_bytes(body_of(one.message)) for one in due]
        with self._step("apply", "stock") as session:
            fresh: list[Any] = [opened(one) for one in inbox.once(session, "stock", envelopes)]
            settlement.commit(session, fresh)
        with self._step("confirm", "order") as session:
            outbox.confirm(session, [outbox.Receipt(one.seq, one.event_id) for one in due])

    @contextmanager
    def _step(self, name: str, context: str) -> Iterator[Session]:
        session = self._sessions[context]
        wal, statements, began = self._wal(), self._statements, time.perf_counter()
        with session.begin():
            yield session
        cost = Cost(time.perf_counter() - began, self._statements - statements, self._wal() - wal)
        session.expunge_all()
        self._costs.setdefault(name, []).append(cost)

    def _open(self, settings: Settings, name: str, versions: Path) -> Session:
        engine = open_engine(url_of(settings, name), synchronous="FULL")
        migrate(engine, versions)

        @event.listens_for(engine, "before_cursor_execute")
        def _(*_: Any) -> None:
            self._statements += 1

        self._held.callback(engine.dispose)
        connection = self._held.enter_context(writing(engine).connect())
        return self._held.enter_context(Session(connection, expire_on_commit=False))

    def _wal(self) -> int:
        """Looked up on a database that is not measured; the same log is all databases'."""
        return self._ask("auth", _WAL)

    def _analyze(self) -> None:
        """What a server's autovacuum does within the first minutes: until then it takes all tables for small ones."""
        for name in ("stock", "order") if self._is_server else ():
            with self._sessions[name].begin():
                self._sessions[name].execute(_ANALYZE)

    def _bytes(self) -> int:
        return sum(self._ask(name, _SIZE) for name in ("stock", "order"))

    def _ask(self, name: str, question: TextClause) -> int:
        """A server; a file has no answer."""
        if not self._is_server:
            return 0
        with self._sessions[name].begin():
            return int(self._sessions[name].scalar(question) or 0)


def _order(product: int) -> Order:
    moment, line = now(), OrderLine(product, f"Product {product}", 1, 1200, 1200)
    return Order(uuid7(), "confirmed", uuid4(), (line,), 1200, "JPY", moment, moment, None, None, None, None)

"""What the databases say after a load: how many orders were applied, how late, and whether anything was oversold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from bench.load import percentile
from ecshop.events.catalog import OrderConfirmed
from ecshop.events.tables import Inbox, Outbox
from ecshop.kernel.db.engine import open_engine
from ecshop.order.models import OrderRow
from ecshop.stock.models import ItemRow
from entrypoints.databases import url_of
from entrypoints.settings import Settings

T = TypeVar("T")

_STOCK: Final = "stock"
_DRAIN: Final = 30.0  # seconds
_LOOK_EVERY: Final = 0.05  # seconds
_AT_ONCE: Final = 10_000
_MILLISECOND: Final = timedelta(milliseconds=1)


class Applied(msgspec.Struct, frozen=True):
    """`rate` counts orders whose units have left the stock, from the first recorded to the last applied.

    The lag, in milliseconds, is from the moment an order's event is recorded, just before its commit, to the moment
    stock's transaction applies it, just before its own commit.
    """

    orders: int
    rate: float
    lag_p50: float
    lag_p99: float


class Books:
    """A shop's databases, read beside it without holding up what it writes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def last_event(self) -> int:
        """The place of what order has recorded last: `applied_since` begins behind it."""
        return self._read("order", _last)

    def applied_since(self, last_event: int) -> Applied:
        """Wait until every order that was recorded since is applied."""
        recorded = self._read("order", partial(_recorded, last_event=last_event))
        applied: dict[str, datetime] = {}
        deadline = time.monotonic() + _DRAIN
        while waiting := recorded.keys() - applied.keys():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(waiting)} events were not applied in {_DRAIN:.0f} s")
            applied |= self._read("stock", partial(_applied, events=waiting))
            time.sleep(_LOOK_EVERY)
        lags = sorted((applied[event] - at) / _MILLISECOND for event, at in recorded.items())
        seconds = (max(applied.values()) - min(recorded.values())).total_seconds()
        return Applied(len(recorded), len(recorded) / seconds, percentile(lags, 0.5), percentile(lags, 0.99))

    def events(self) -> int:
        """How many order remembers that it has recorded, and stock that it has applied."""
        return self._read("order", partial(_count, Outbox.seq)) + self._read("stock", partial(_count, Inbox.event_id))

    def oversold_units(self, units: Callable[[int], int], products: Collection[int] | None = None) -> int:
        """By how much what was sold and what is on hand differ from the registered `units`; 0 when all is well.

        Looks at `products`, or at all of them. Units that are still reserved count as a difference too.
        """
        sold = self._read("order", _sold)
        return sum(
            abs(sold.get(product, 0) + on_hand - units(product)) + reserved
            for product, on_hand, reserved in self._read("stock", _items)
            if products is None or product in products
        )

    def _read(self, context: str, fn: Callable[[Session], T]) -> T:
        engine = open_engine(url_of(self._settings, context), guest=True)
        try:
            with Session(engine) as session:
                return fn(session)
        finally:
            engine.dispose()


def _last(session: Session) -> int:
    return session.scalar(select(func.max(Outbox.seq))) or 0


def _recorded(session: Session, last_event: int) -> dict[str, datetime]:
    query = select(Outbox.event_id, Outbox.recorded_at)
    return _pairs(session, query.where(Outbox.seq > last_event, Outbox.type == OrderConfirmed.type))


def _applied(session: Session, events: Iterable[str]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    rest = iter(events)
    while some := list(islice(rest, _AT_ONCE)):
        query = select(Inbox.event_id, Inbox.applied_at)
        found |= _pairs(session, query.where(Inbox.consumer == _STOCK, Inbox.event_id.in_(some)))
    return found


def _sold(session: Session) -> Counter[int]:
    sold: Counter[int] = Counter()
    standing = select(OrderRow.lines).where(OrderRow.status != "cancelled").execution_options(yield_per=_AT_ONCE)
    for lines in session.scalars(standing):
        sold.update({line.product_id: line.quantity for line in lines})
    return sold


def _items(session: Session) -> Sequence[Row[int, int, int]]:
    return session.execute(select(ItemRow.product_id, ItemRow.on_hand, ItemRow.reserved)).all()


def _count(column: InstrumentedAttribute[Any], session: Session) -> int:
    return session.scalar(select(func.count(column))) or 0


def _pairs(session: Session, query: Select[Any, Any]) -> dict[Any, Any]:
    return dict(session.execute(query).all())

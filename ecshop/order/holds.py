"""What stock holds for orders while they are recorded, and what is given back when they are not: our own failure never
holds a customer's units. Expiry does the same later, should this process end before it has.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from typing import Final, NamedTuple
from uuid import UUID

from ecshop.events.backoff import repeat
from ecshop.events.catalog import ReservationExpired
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Aborted, EcshopError, Unavailable
from ecshop.kernel.telemetry.cause import Cause, cause
from ecshop.order import records
from ecshop.order.contract import Order
from ecshop.stock.contract import Line, StockClient

_AT_ONCE: Final = 100
_MOST: Final = 10_000
_ONLY: Final = 1
"""The attempt to place an order without an idempotency key: no other one has its id."""


class Hold(NamedTuple):
    """What one attempt to place an order holds, or may hold."""

    order_id: UUID
    attempt: int
    cause: Cause


class Holds:
    def __init__(self, db: Database, stock: StockClient) -> None:
        self._db, self._stock = db, stock
        self._unused: deque[Hold] = deque(maxlen=_MOST)
        self._doubtful: deque[Hold] = deque(maxlen=_MOST)
        self._wake = asyncio.Event()
        self._attempts = count(secrets.randbits(61) + 1)

    async def reserve(self, order_id: UUID, lines: Sequence[Line], *, has_key: bool) -> Hold:
        """Raises what stock raises; of what it did not answer the units are given back."""
        hold = Hold(order_id, next(self._attempts) if has_key else _ONLY, cause())
        try:
            await self._stock.reserve(order_id, lines, hold.attempt)
        except Aborted:
            raise
        except (Unavailable, asyncio.CancelledError):
            self._note(self._unused, hold)
            raise
        return hold

    @contextmanager
    def checking(self, hold: Hold) -> Iterator[None]:
        """Whatever is raised meanwhile, the order will not be recorded."""
        try:
            yield
        except BaseException:
            self._note(self._unused, hold)
            raise

    async def record(self, hold: Hold, placement: records.Placement) -> Order:
        """Raises what recording raises. Of a record that may have been written, order's own database decides."""
        try:
            return await self._db.write_many(records.record, placement)
        except Aborted:
            self._note(self._unused, hold)
            raise
        except (Unavailable, asyncio.CancelledError):
            self._note(self._doubtful, hold)
            raise
        except EcshopError:
            raise  # another order has this id, and its units
        except Exception:
            self._note(self._unused, hold)
            raise

    async def give_back(self) -> None:
        """Give back what is noted, until cancelled."""
        await repeat(self._give_back, "giving back what orders held")

    def _note(self, holds: deque[Hold], hold: Hold) -> None:
        holds.append(hold)
        self._wake.set()

    async def _give_back(self) -> None:
        """What could not be given back is still noted."""
        self._wake.clear()
        if not self._unused and not self._doubtful:
            await self._wake.wait()
        while self._unused:
            some = list(islice(self._unused, _AT_ONCE))
            await asyncio.gather(*(self._stock.withdraw(hold.order_id, hold.attempt) for hold in some))
            _forget(self._unused, some)
        while self._doubtful:
            some = list(islice(self._doubtful, _AT_ONCE))
            questions = [ReservationExpired(hold.order_id, cause=hold.cause) for hold in some]
            await self._db.write(records.give_up, questions)
            _forget(self._doubtful, some)


def _forget(holds: deque[Hold], some: Sequence[Hold]) -> None:
    for hold in some:
        with suppress(ValueError):  # it was pushed out by too many others
            holds.remove(hold)

"""Products as they were read last: who asks for one again is answered without the database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from ecshop.kernel.db.database import Database
from ecshop.product import catalogue
from ecshop.product.contract import Product

_GOOD_FOR: Final = 60.0  # seconds
_GOOD_FOR_WHERE_OTHERS_WRITE: Final = 1.0
_MOST: Final = 10_000


class Snapshots:
    """Each commit of this process ends them all, before anybody hears of it: what it changed is read anew.

    What another process commits, a replica on PostgreSQL, is seen a second later at the latest. A file has nobody else
    who writes to it; should somebody do it by hand, it is seen within a minute.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._good_for = _GOOD_FOR_WHERE_OTHERS_WRITE if db.admits_others else _GOOD_FOR
        self._known: dict[int, Product] = {}
        self._ends = 0.0
        db.on_commit.append(self._forget)

    async def get(self, ids: Sequence[int]) -> Sequence[Product | None]:
        """In their order, None for what is not there."""
        if time.monotonic() > self._ends:
            self._forget()
        known = self._known
        found = [known.get(id_) for id_ in ids]
        if None in found:
            found = await self._db.read_many(catalogue.find, tuple(ids))
            known.update((product.id, product) for product in found if product is not None)
            while len(known) > _MOST:
                del known[next(iter(known))]
        return found

    def _forget(self) -> None:
        """A read that is on its way keeps what it finds in a dict that nobody looks into any more."""
        self._known = {}
        self._ends = time.monotonic() + self._good_for

"""The levels of some products while a transaction changes them, and the ledger and the news that follow from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import Event, StockDepleted, StockReplenished
from ecshop.events.outbox import record
from ecshop.events.tables import Shop
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.many import KEYS, execute_many, next_keys, select_many
from ecshop.kernel.telemetry.cause import UNKNOWN, Cause
from ecshop.stock.models import ItemRow, MovementRow

OPEN: Final = "open"
_GENERATION: Final = 2**40
"""More changes than any item sees; 8,000 generations of it are below 2**53."""

_ITEM: Final = ItemRow.__table__.c
_LOCKED: Final = (
    select(_ITEM.product_id, _ITEM.on_hand, _ITEM.reserved, _ITEM.version, _ITEM.state, _ITEM.last_movement)
    .where(_ITEM.product_id.in_(bindparam(KEYS, expanding=True)))
    .order_by(_ITEM.product_id)
    .with_for_update()
)
_SAVE: Final = (
    update(table_of(ItemRow))
    .where(_ITEM.product_id == bindparam("product"))
    .values(
        on_hand=bindparam("units"),
        reserved=bindparam("promised"),
        version=bindparam("count"),
        updated_at=bindparam("moment"),
        last_movement=bindparam("last"),
    )
)
_MOVE: Final = insert(table_of(MovementRow))


@dataclass(slots=True)
class Level:
    product_id: int
    on_hand: int
    reserved: int
    version: int
    state: str
    last_movement: int | None
    before: int
    """What was on hand when the transaction began."""
    cause: Cause = UNKNOWN
    """Of its last move, where the transaction serves several."""

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved if self.state == OPEN else 0


class Levels:
    """Read once under lock, changed in memory, written back at once by `save`; a changed item counts one version."""

    def __init__(self, session: Session, product_ids: Iterable[int], actor: UUID | None = None) -> None:
        """`actor` is the user who makes the changes, if it is one."""
        self._session, self._actor = session, actor
        rows = select_many(session, _LOCKED, sorted(set(product_ids)))
        self.moment = now()
        """Of all that is changed."""
        self._levels: dict[int, Level] = {}
        for product_id, on_hand, reserved, version, state, last_movement in rows:
            self._levels[product_id] = Level(
                product_id, on_hand, reserved, version, state, last_movement, before=on_hand
            )
        self._changed: set[int] = set()
        self._movements: list[dict[str, Any]] = []

    def get(self, product_id: int) -> Level | None:
        return self._levels.get(product_id)

    def available(self, product_id: int) -> int:
        level = self._levels.get(product_id)
        return level.available if level else 0

    def hold(self, product_id: int, units: int) -> None:
        """Promise units to an order; give them back with a negative number."""
        self._change(product_id).reserved += units

    def move(
        self, product_id: int, delta: int, reason: str, reference: UUID | None = None, cause: Cause = UNKNOWN
    ) -> None:
        """Bring units in, or take them out, with a line in the ledger."""
        level = self._change(product_id)
        level.on_hand += delta
        level.cause = cause
        self._movements.append(
            {
                "product_id": product_id,
                "delta": delta,
                "on_hand": level.on_hand,
                "version": level.version,
                "reason": reason,
                "reference": reference,
                "actor": self._actor,
                "at": self.moment,
            }
        )

    def sold_out_at(self, product_id: int) -> int | None:
        """The item's version, where all its units are gone."""
        level = self._levels[product_id]
        return level.version if level.on_hand == 0 else None

    def save(self) -> None:
        self._chain_movements()
        changed = [self._levels[product_id] for product_id in sorted(self._changed)]
        execute_many(self._session, _SAVE, [_row(level) | {"moment": self.moment} for level in changed])
        execute_many(self._session, _MOVE, self._movements)
        record(self._session, [news for level in changed if (news := _news(level, self.moment)) is not None])

    def _chain_movements(self) -> None:
        ids = next_keys(self._session, table_of(MovementRow), len(self._movements))
        for id_, movement in zip(ids, self._movements, strict=True):
            level = self._levels[movement["product_id"]]
            movement |= {"id": id_, "previous": level.last_movement}
            level.last_movement = id_

    def _change(self, product_id: int) -> Level:
        level = self._levels.get(product_id)
        if level is None:
            raise LookupError(f"there is no item of product {product_id}")
        if product_id not in self._changed:
            self._changed.add(product_id)
            level.version += 1
        return level


def first_version(session: Session) -> int:
    """Of an item that begins: above all that were counted in an earlier generation of this database."""
    generation = session.scalar(select(Shop.generation)) or 1
    return (generation - 1) * _GENERATION


def _row(level: Level) -> dict[str, Any]:
    return {
        "product": level.product_id,
        "units": level.on_hand,
        "promised": level.reserved,
        "count": level.version,
        "last": level.last_movement,
    }


def _news(level: Level, moment: datetime) -> Event | None:
    if level.state != OPEN:
        return None
    if level.before > 0 and level.on_hand == 0:
        return StockDepleted(level.product_id, level.version, cause=level.cause, happened_at=moment)
    if level.before == 0 and level.on_hand > 0:
        return StockReplenished(level.product_id, level.version, cause=level.cause, happened_at=moment)
    return None

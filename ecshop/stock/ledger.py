"""What has moved a product's units, read backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.keyset import Keyset, Part
from ecshop.kernel.errors import InvalidCursor
from ecshop.stock.models import ItemRow, MovementRow


class Ledger(Keyset):
    """A product's movements, newest first: each names the one before."""

    def __init__(self, product_id: int) -> None:
        super().__init__("-id", MovementRow.id, MovementRow.id)
        self._product_id = product_id

    def rows(self, session: Session, part: Part, after: Sequence[Any] | None, count: int) -> Sequence[MovementRow]:
        first = self._newest(session) if after is None else self._before(session, *after)
        line = table_of(MovementRow).c
        begin = select(line.id, line.previous, literal(1).label("place")).where(line.id == first)
        walk = begin.cte("walk", recursive=True)
        step = select(line.id, line.previous, walk.c.place + 1).where(line.id == walk.c.previous)
        walk = walk.union_all(step.where(walk.c.place < count))
        lines = select(MovementRow).join(walk, walk.c.id == MovementRow.id).order_by(MovementRow.id.desc())
        return session.scalars(lines).all()

    def _newest(self, session: Session) -> int | None:
        return session.scalar(select(ItemRow.last_movement).where(ItemRow.product_id == self._product_id))

    def _before(self, session: Session, last: int) -> int | None:
        of_product = MovementRow.product_id == self._product_id
        found = session.execute(select(MovementRow.previous).where(MovementRow.id == last, of_product)).first()
        if found is None:
            raise InvalidCursor("take `next_cursor` of the page before, of the same product")
        return found[0]

"""Whether there are units of a product, by the events of stock: the newest version wins, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import StockDepleted, StockEvent, StockReplenished
from ecshop.kernel.db.columns import table_of
from ecshop.product.models import ProductRow

_COLUMNS: Final = ProductRow.__table__.c
_NOTE: Final = (
    update(table_of(ProductRow))
    .where(_COLUMNS.id == bindparam("product"), _COLUMNS.stock_version < bindparam("version"))
    .values(in_stock=bindparam("stocked"), stock_version=bindparam("version"))
)


def sell_out(session: Session, events: Sequence[StockDepleted]) -> list[str]:
    return _note(session, events, in_stock=False)


def restock(session: Session, events: Sequence[StockReplenished]) -> list[str]:
    return _note(session, events, in_stock=True)


def _note(session: Session, events: Sequence[StockEvent], *, in_stock: bool) -> list[str]:
    known = _known_versions(session, {event.product_id for event in events})
    outcomes: list[str] = []
    for event in events:
        version = known.get(event.product_id)
        if version is None:
            outcomes.append("ignored: no such product")
        elif version >= event.version:
            outcomes.append("ignored: newer is known")
        else:
            known[event.product_id] = event.version
            outcomes.append("in stock" if in_stock else "sold out")
    rows = [{"product": event.product_id, "version": event.version, "stocked": in_stock} for event in events]
    session.connection().execute(_NOTE, rows)
    return outcomes


def _known_versions(session: Session, ids: Iterable[int]) -> dict[int, int]:
    return dict(session.execute(select(_COLUMNS.id, _COLUMNS.stock_version).where(_COLUMNS.id.in_(ids))).all())

"""Whether there are units of a product, by the events of stock: the newest version wins, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import StockDepleted, StockEvent, StockReplenished
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.keyset import Keyset
from ecshop.kernel.db.many import execute_many
from ecshop.kernel.db.mapping import struct_of
from ecshop.kernel.values import Page
from ecshop.product.contract import AvailabilityChange, ProductNotFound
from ecshop.product.models import AvailabilityChangeRow, ProductRow

_COLUMNS: Final = ProductRow.__table__.c
_NOTE: Final = (
    update(table_of(ProductRow))
    .where(_COLUMNS.id == bindparam("product"), _COLUMNS.stock_version < bindparam("version"))
    .values(in_stock=bindparam("stocked"), stock_version=bindparam("version"))
)
_KEEP: Final = insert(table_of(AvailabilityChangeRow))

_NEWEST_FIRST: Final = Keyset("-version", AvailabilityChangeRow.version, AvailabilityChangeRow.version)


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
    _keep(session, [event for event, outcome in zip(events, outcomes, strict=True) if "ignored" not in outcome])
    return outcomes


def changes_of(
    session: Session, product_id: int, version: int | None, cursor: str | None, limit: int
) -> Page[AvailabilityChange]:
    if session.get(ProductRow, product_id) is None:
        raise ProductNotFound(f"no product has the id {product_id}", product_ids=[product_id])
    query = select(AvailabilityChangeRow).where(AvailabilityChangeRow.product_id == product_id)
    if version is not None:
        query = query.where(AvailabilityChangeRow.version == version)
    return _NEWEST_FIRST.fetch(session, query, cursor, limit, partial(struct_of, AvailabilityChange))


def _keep(session: Session, events: Sequence[StockEvent]) -> None:
    moment = now()
    rows = [
        {
            "product_id": event.product_id,
            "version": event.version,
            "in_stock": isinstance(event, StockReplenished),
            "at": moment,
        }
        for event in events
    ]
    if rows:
        execute_many(session, _KEEP, rows)


def _known_versions(session: Session, ids: Iterable[int]) -> dict[int, int]:
    return dict(session.execute(select(_COLUMNS.id, _COLUMNS.stock_version).where(_COLUMNS.id.in_(ids))).all())

"""Which orders are asked for, and from which index each list of them comes in its order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from ecshop.kernel.db.keyset import is_few, unindexed
from ecshop.kernel.identity import Actor, Role
from ecshop.order.contract import OrderFilter, Status
from ecshop.order.models import CONFIRMED, STATUSES, OrderOfProductRow, OrderRow


def statuses(session: Session, order_ids: Sequence[UUID]) -> dict[UUID, Status]:
    known = OrderRow.id.in_(order_ids), OrderRow.user_id.is_not(None)
    rows = session.execute(select(OrderRow.id, OrderRow.status).where(*known))
    return {order_id: cast(Status, status) for order_id, status in rows}


def lists(session: Session, actor: Actor, wanted: OrderFilter) -> list[Select[OrderRow]]:
    """The list that is asked for, or where no index has it in its order, one for each status."""
    query = select(OrderRow).where(OrderRow.user_id.is_not(None), *_times(wanted))
    is_narrow = False
    for user_id in (None if actor.role.includes(Role.STAFF) else actor.user_id, wanted.user_id):
        if user_id is not None:
            is_narrow, query = True, query.where(OrderRow.user_id == user_id)
    if wanted.product_id is not None:
        ids = select(OrderOfProductRow.order_id).where(OrderOfProductRow.product_id == wanted.product_id)
        few = is_few(session, ids)
        has_it = OrderRow.id.in_(ids) if few else ids.where(OrderOfProductRow.order_id == OrderRow.id).exists()
        is_narrow, query = is_narrow or few, query.where(has_it)
    statuses = [wanted.status] if wanted.status else list(STATUSES)
    if wanted.updated_after is not None:
        return _changed(session, query, statuses, wanted.updated_after, is_narrow=is_narrow)
    if is_narrow:
        return [query.where(unindexed(OrderRow.status).in_(statuses))]
    return [query.where(OrderRow.status == status) for status in statuses]


def _changed(
    session: Session, query: Select[OrderRow], statuses: Sequence[str], moment: datetime, *, is_narrow: bool
) -> list[Select[OrderRow]]:
    """An order is changed when it is placed, and when it ends."""
    of_status = unindexed(OrderRow.status).in_(statuses)
    if is_narrow:
        return [query.where(of_status, func.coalesce(OrderRow.ended_at, OrderRow.placed_at) > moment)]
    placed = [query.where(OrderRow.status == CONFIRMED, OrderRow.placed_at > moment)] if CONFIRMED in statuses else []
    ended = select(OrderRow.id).where(OrderRow.ended_at > moment).correlate(None)
    if is_few(session, ended):
        return [*placed, query.where(OrderRow.id.in_(ended), of_status)]
    is_later = unindexed(OrderRow.ended_at) > moment
    return [*placed, *(query.where(OrderRow.status == one, is_later) for one in statuses if one != CONFIRMED)]


def _times(wanted: OrderFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.placed_after is not None:
        yield OrderRow.placed_at > wanted.placed_after
    if wanted.placed_before is not None:
        yield OrderRow.placed_at < wanted.placed_before

"""Which orders are asked for, and from which index each list of them comes in its order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, func, select, type_coerce, union_all
from sqlalchemy.orm import Session

from ecshop.kernel.db.keyset import Keyset, Part, is_few, unindexed
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import Spread
from ecshop.order.contract import OrderFilter, Pace, Status
from ecshop.order.models import CANCELLED, CONFIRMED, STATUSES, STEP, OrderOfProductRow, OrderRow, second_of

_A_MINUTE: Final = timedelta(minutes=1)
_NEWEST: Final = 100
_ENTRY: Final = OrderOfProductRow
_SAME: Final = (
    _ENTRY.placed_second == type_coerce(OrderRow.placed_at, BigInteger) // 1_000_000,
    _ENTRY.order_id == OrderRow.id,
)
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""There is room after it to count in."""


def statuses(session: Session, order_ids: Sequence[UUID]) -> dict[UUID, Status]:
    known = OrderRow.id.in_(order_ids), OrderRow.user_id.is_not(None)
    rows = session.execute(select(OrderRow.id, OrderRow.status).where(*known))
    return {order_id: cast(Status, status) for order_id, status in rows}


def pace(session: Session, since: datetime, minutes: int) -> Pace:
    edges = [min(since, _LATEST) + n * _A_MINUTE for n in range(minutes + 1)]
    newest = [
        row
        for status in STATUSES
        for row in session.execute(
            select(OrderRow.placed_at, OrderRow.steps)
            .where(OrderRow.status == status, OrderRow.steps.is_not(None))
            .order_by(OrderRow.placed_at.desc())
            .limit(_NEWEST)
        )
    ]
    newest.sort(key=lambda row: row.placed_at, reverse=True)
    steps = [row.steps for row in newest[:_NEWEST]]
    return Pace(
        tuple(_placed(session, begin, end) for begin, end in pairwise(edges)),
        quoted=_spread((one.began, one.quoted) for one in steps),
        reserved=_spread((one.quoted, one.reserved) for one in steps),
        recorded=_spread((one.reserved, one.recorded) for one in steps),
        whole=_spread((one.began, one.recorded) for one in steps),
    )


def _placed(session: Session, begin: datetime, end: datetime) -> int:
    """By an index for each status, which needs no rows but those of cancelled ones."""
    within = OrderRow.placed_at >= begin, OrderRow.placed_at < end
    counts = [
        select(func.count()).where(OrderRow.status == status, *within) for status in STATUSES if status != CANCELLED
    ]
    of_users = select(func.count()).where(OrderRow.status == CANCELLED, OrderRow.user_id.is_not(None), *within)
    return sum(session.scalars(union_all(*counts, of_users)))


def _spread(spans: Iterable[tuple[int, int]]) -> Spread | None:
    return Spread.of((end - begin) * STEP for begin, end in spans)


class _OfProduct(Keyset):
    """Of the orders of a product those that come next are read: their index has the second at which each was placed."""

    def rows(self, session: Session, part: Part, after: Sequence[Any] | None, count: int) -> Sequence[Any]:
        queries = [query.order_by(_ENTRY.placed_second.desc()) for query in part.queries]
        if after is not None:
            queries = [query.where(_ENTRY.placed_second <= second_of(after[0])) for query in queries]
        return super().rows(session, part._replace(queries=queries), after, count)


_NEWEST_FIRST: Final = Keyset("-placed_at", OrderRow.placed_at, OrderRow.id)
_NEWEST_OF_PRODUCT: Final = _OfProduct("-placed_at", OrderRow.placed_at, OrderRow.id)


def part(session: Session, actor: Actor, wanted: OrderFilter) -> Part:
    """The list that is asked for, or where no index has it in its order, one for each status."""
    within = list(_times(wanted))
    query = select(OrderRow).where(OrderRow.user_id.is_not(None))
    statuses = _statuses(wanted)
    is_narrow = False
    for user_id in (None if actor.role.includes(Role.STAFF) else actor.user_id, wanted.user_id):
        if user_id is not None:
            is_narrow, query = True, query.where(OrderRow.user_id == user_id)
    if wanted.product_id is not None:
        ids = select(_ENTRY.order_id).where(_ENTRY.product_id == wanted.product_id)
        few = is_few(session, ids)
        if not is_narrow and wanted.updated_after is None and (few or wanted.status is None):
            of_status = unindexed(OrderRow.status).in_(statuses)
            entries = query.join(_ENTRY, _ENTRY.order_id == OrderRow.id).where(_ENTRY.product_id == wanted.product_id)
            return Part(_NEWEST_OF_PRODUCT, [entries.where(of_status)], within=[*_seconds(wanted), *within])
        is_narrow, query = is_narrow or few, query.where(OrderRow.id.in_(ids) if few else ids.where(*_SAME).exists())
    if wanted.updated_after is not None:
        queries = _changed(session, query, wanted.updated_after, wanted, is_narrow=is_narrow)
    elif is_narrow:
        queries = [query.where(unindexed(OrderRow.status).in_(statuses))]
    else:
        queries = [query.where(OrderRow.status == status) for status in statuses]
    return Part(_NEWEST_FIRST, queries, within=within)


def _statuses(wanted: OrderFilter) -> Sequence[str]:
    return [wanted.status] if wanted.status else STATUSES


def _changed(
    session: Session, query: Select[OrderRow], moment: datetime, wanted: OrderFilter, *, is_narrow: bool
) -> list[Select[OrderRow]]:
    """An order is changed when it is placed, and when it ends."""
    statuses = _statuses(wanted)
    of_status = unindexed(OrderRow.status).in_(statuses)
    if is_narrow:
        return [query.where(of_status, func.coalesce(OrderRow.ended_at, OrderRow.placed_at) > moment)]
    later = max(moment, wanted.placed_after or moment)
    placed = [query.where(OrderRow.status == CONFIRMED, OrderRow.placed_at > later)] if CONFIRMED in statuses else []
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


def _seconds(wanted: OrderFilter) -> Iterable[ColumnElement[bool]]:
    """The same of the entries of a product."""
    if wanted.placed_after is not None:
        yield _ENTRY.placed_second >= second_of(wanted.placed_after)
    if wanted.placed_before is not None:
        yield _ENTRY.placed_second <= second_of(wanted.placed_before)

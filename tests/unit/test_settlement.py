"""What becomes of the units of a cancelled order, in whichever order stock hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ecshop.events.catalog import OrderCancelled, OrderConfirmed, OrderedUnits
from ecshop.events.tables import Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import writing
from ecshop.kernel.identity import Actor, Role
from ecshop.stock import items, reservations, settlement
from ecshop.stock.contract import Line, NewStock, Reservation, ReservationReleased
from ecshop.stock.models import ItemRow, MovementRow, ReservationRow
from tests.unit.schema import MigratedEngine

ORDER, TEA, CUP = uuid4(), 1, 2
UNITS = {TEA: 5, CUP: 3}
"""Of the order; of each product there are five."""

Arrival = Sequence[Callable[[Session], list[str]]]


def confirmed(session: Session) -> list[str]:
    lines = tuple(OrderedUnits(product, quantity) for product, quantity in UNITS.items())
    return settlement.commit(session, [OrderConfirmed(ORDER, 1, uuid4(), lines, 0, "JPY")])


def cancelled(session: Session) -> list[str]:
    return settlement.release(session, [OrderCancelled(ORDER, 2)])


def written_off(session: Session) -> list[str]:
    return settlement.release(session, [OrderCancelled(ORDER, 2, restock=False)])


@pytest.fixture
def session(migrated: MigratedEngine) -> Iterator[Session]:
    """Of a stock that holds the order's units."""
    staff = Actor(uuid4(), Role.STAFF)
    with Session(writing(migrated("stock"))) as session:
        for product in UNITS:
            items.register(session, staff, NewStock(product, 5))
        session.commit()
        assert isinstance(reserve(session), Reservation)
        yield session


def reserve(session: Session) -> Any:
    lines = tuple(Line(product, quantity) for product, quantity in UNITS.items())
    [outcome] = reservations.reserve(session, [reservations.Wanted(ORDER, lines, now())])
    return outcome


@pytest.mark.parametrize("arrival", [(confirmed, written_off), (written_off, confirmed)])
def test_units_that_are_not_restocked_leave_the_stock_whichever_event_comes_first(
    session: Session, arrival: Arrival
) -> None:
    for event in arrival:
        event(session)
    assert levels(session) == {TEA: (0, 0), CUP: (2, 0)}
    assert state(session) == "written_off"
    assert ledger(session) == [
        (product, delta, reason)
        for product, quantity in UNITS.items()
        for delta, reason in ((-quantity, "ordered"), (quantity, "order cancelled"), (-quantity, "not restocked"))
    ]
    assert told(session)["ecshop.stock.depleted.v1"] == 1
    assert told(session)["ecshop.stock.replenished.v1"] == len(UNITS)  # as they were registered


@pytest.mark.parametrize(
    ("arrival", "outcomes"),
    [
        ((confirmed, written_off, written_off), ["committed", "written_off", "ignored: written_off"]),
        ((written_off, confirmed, cancelled), ["written_off", "ignored: written_off", "ignored: written_off"]),
        ((confirmed, cancelled, written_off), ["committed", "returned", "ignored: returned"]),
        ((cancelled, confirmed, written_off), ["released", "ignored: released", "ignored: released"]),
    ],
)
def test_a_cancelled_order_has_one_end(session: Session, arrival: Arrival, outcomes: list[str]) -> None:
    assert [outcome for event in arrival for outcome in event(session)] == outcomes


@pytest.mark.parametrize("arrival", [(confirmed, cancelled), (cancelled, confirmed)])
def test_units_that_are_restocked_are_there_again_whichever_event_comes_first(
    session: Session, arrival: Arrival
) -> None:
    for event in arrival:
        event(session)
    assert levels(session) == {TEA: (5, 0), CUP: (5, 0)}


def test_an_order_that_was_written_off_cannot_be_reserved_again(session: Session) -> None:
    written_off(session)
    assert isinstance(reserve(session), ReservationReleased)


def test_an_order_that_never_reserved_is_released_even_when_its_units_are_not_to_come_back(session: Session) -> None:
    assert settlement.release(session, [OrderCancelled(uuid4(), 2, restock=False)]) == [
        "released before it was reserved"
    ]
    assert levels(session) == {TEA: (5, 5), CUP: (5, 3)}


def test_orders_that_are_cancelled_together_have_each_their_own_end(session: Session) -> None:
    other = uuid4()
    reservations.reserve(session, [reservations.Wanted(other, (Line(CUP, 1),), now())])
    events = [OrderCancelled(ORDER, 2, restock=False), OrderCancelled(other, 2)]
    assert settlement.release(session, events) == ["written_off", "released"]
    assert levels(session) == {TEA: (0, 0), CUP: (2, 0)}


def levels(session: Session) -> dict[int, tuple[int, int]]:
    """What is on hand, and what of it is reserved."""
    session.expire_all()
    return {row.product_id: (row.on_hand, row.reserved) for row in session.scalars(select(ItemRow))}


def state(session: Session) -> str:
    return session.scalars(select(ReservationRow.state).where(ReservationRow.order_id == ORDER)).one()


def ledger(session: Session, order: UUID = ORDER) -> list[tuple[int, int, str]]:
    """What it says of the order."""
    lines = select(MovementRow).where(MovementRow.reference == order).order_by(MovementRow.product_id, MovementRow.id)
    return [(line.product_id, line.delta, line.reason) for line in session.scalars(lines)]


def told(session: Session) -> dict[str, int]:
    """How many events of each type."""
    types = list(session.scalars(select(Outbox.type)))
    return {type_: types.count(type_) for type_ in types}

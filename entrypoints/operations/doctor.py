"""Compares the books of all databases of a shop: what they say of each other must be true once events have settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from ecshop.events.tables import IS_DUE, IS_UNHEARD, DeadLetter, Outbox
from ecshop.order.models import OrderRow
from ecshop.product.models import ProductRow
from ecshop.stock.models import ItemRow, MovementRow, ReservationRow
from entrypoints.contexts import NAMES
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings

T = TypeVar("T")
Units = Mapping[int, int]
"""By product."""

_NOT_RESTOCKED: Final = "cancelled, not restocked"
_STATES: Final = {
    "confirmed": {"committed"},
    "fulfilled": {"committed"},
    "cancelled": {"released", "returned"},
    _NOT_RESTOCKED: {"written_off"},
}
"""Of an order, what its reservation must be in the end."""
_ON_ITS_WAY: Final = {"held", "withdrawn"}
"""Of a reservation, without an order: it may be recorded yet, or expires; or its attempt came to nothing."""
_OUT: Final = {"committed", "written_off"}
"""Reservations whose units have left the stock."""
_BACK: Final = {"returned", "written_off"}
"""Reservations whose units came back, if only on paper."""


class Finding(NamedTuple):
    rule: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.detail}"


class Reader(Protocol):
    """Reads a context's database, in one transaction."""

    def __call__(self, context: str, fn: Callable[[Session], T], /) -> T: ...


class _Item(NamedTuple):
    on_hand: int
    reserved: int
    is_open: bool
    last_movement: int | None


class _Stock(NamedTuple):
    items: Mapping[int, _Item]
    ledger: Units
    last_lines: Mapping[int, int]
    astray: frozenset[int]
    """Products of whose lines one does not name the one before."""
    moved: Mapping[UUID, Units]
    """What the ledger says of each order; taken out and brought back make 0."""
    back: frozenset[UUID]
    """The orders of which the ledger says that something came back."""
    states: Mapping[UUID, str]
    reserved: Mapping[UUID, Units]


class _Order(NamedTuple):
    statuses: Mapping[UUID, str]
    ordered: Mapping[UUID, Units]


def examine(settings: Settings) -> list[Finding]:
    """What is wrong. Of a shop at work some of it is only on its way, and gone a moment later. Raises `NoShop`."""

    def read(context: str, fn: Callable[[Session], T]) -> T:
        return beside_the_shop(settings, context, fn)

    return compare(read, NAMES)


def compare(read: Reader, outboxes: Sequence[str]) -> list[Finding]:
    """What the books say that cannot be true of each other; `outboxes` are the databases that have one."""
    events = [finding for name in outboxes for finding in read(name, _Events(name))]
    order, stock, in_stock = read("order", _order), read("stock", _stock), read("product", _in_stock)
    return [*events, *_units(stock), *_reservations(stock), *_orders(order, stock), *_products(in_stock, stock)]


def compare_stock(read: Reader) -> list[Finding]:
    """What must be true of stock's own books at any moment."""
    stock = read("stock", _stock)
    return [*_units(stock), *_reservations(stock)]


class _Events:
    def __init__(self, context: str) -> None:
        self._context = context

    def __call__(self, session: Session) -> list[Finding]:
        due = _count(session, Outbox.seq, IS_DUE)
        unheard = _count(session, Outbox.seq, IS_UNHEARD)
        dead = _count(session, DeadLetter.event_id)
        found = {"not published": due, "published, not heard": unheard, "dead letters, see `dlq list`": dead}
        return [Finding("events", self._context, f"{number} {what}") for what, number in found.items() if number]


def _units(stock: _Stock) -> Iterator[Finding]:
    held: dict[int, int] = {}
    for order, units in stock.reserved.items():
        if stock.states.get(order) == "held":
            for product, quantity in units.items():
                held[product] = held.get(product, 0) + quantity
    for product, item in stock.items.items():
        if item.on_hand != stock.ledger.get(product, 0):
            detail = f"{item.on_hand} on hand, the ledger makes {stock.ledger.get(product, 0)}"
            yield Finding("ledger", f"product {product}", detail)
        if item.last_movement != stock.last_lines.get(product) or product in stock.astray:
            yield Finding("history", f"product {product}", "its movements do not lead from each to the one before")
        if item.reserved != held.get(product, 0):
            detail = f"{item.reserved} reserved, reservations hold {held.get(product, 0)}"
            yield Finding("reserved", f"product {product}", detail)
        if not 0 <= item.reserved <= item.on_hand:
            yield Finding("oversold", f"product {product}", f"{item.reserved} of {item.on_hand} are promised")


def _reservations(stock: _Stock) -> Iterator[Finding]:
    for order, state in stock.states.items():
        units = stock.reserved.get(order, {})
        out = {product: -quantity if state in _OUT else 0 for product, quantity in units.items()}
        moved = {product: stock.moved.get(order, {}).get(product, 0) for product in units}
        if moved != out:
            yield Finding("movements", f"order {order}", f"{state}, and its ledger makes {moved}")
        if state in _BACK and order not in stock.back:
            yield Finding("movements", f"order {order}", f"{state}, and no line of the ledger says so")


def _orders(order: _Order, stock: _Stock) -> Iterator[Finding]:
    for order_id, status in order.statuses.items():
        state = stock.states.get(order_id, "nothing")
        if state not in _STATES[status]:
            yield Finding("orders", f"order {order_id}", f"{status}, and stock knows {state}")
        elif order.ordered.get(order_id, stock.reserved.get(order_id)) != stock.reserved.get(order_id):
            yield Finding("orders", f"order {order_id}", "its lines are not those that are reserved")
    for order_id in stock.states.keys() - order.statuses.keys():
        if stock.states[order_id] not in _ON_ITS_WAY:
            yield Finding("reservations", f"order {order_id}", f"{stock.states[order_id]}, and it is not recorded")


def _products(in_stock: Mapping[int, bool | None], stock: _Stock) -> Iterator[Finding]:
    for product, told in in_stock.items():
        item = stock.items.get(product)
        if item is not None and told != (item.is_open and item.on_hand > 0):
            yield Finding("in stock", f"product {product}", f"shown as {told}, and {item.on_hand} are on hand")


def _stock(session: Session) -> _Stock:
    is_open = (ItemRow.state == "open").label("is_open")
    items = session.execute(
        select(ItemRow.product_id, ItemRow.on_hand, ItemRow.reserved, is_open, ItemRow.last_movement)
    )
    of_products = select(MovementRow.product_id, func.sum(MovementRow.delta), func.max(MovementRow.id))
    ledger = session.execute(of_products.group_by(MovementRow.product_id)).all()
    of_orders = (
        select(MovementRow.reference, MovementRow.product_id, func.sum(MovementRow.delta))
        .where(MovementRow.reference.is_not(None))
        .group_by(MovementRow.reference, MovementRow.product_id)
    )
    back = select(MovementRow.reference).where(MovementRow.reference.is_not(None), MovementRow.delta > 0)
    reservations = session.execute(select(ReservationRow.order_id, ReservationRow.state, ReservationRow.units)).all()
    return _Stock(
        {row.product_id: _Item(row.on_hand, row.reserved, row.is_open, row.last_movement) for row in items},
        {product: int(units) for product, units, _ in ledger},
        {product: last for product, _, last in ledger},
        frozenset(session.scalars(_astray())),
        _by_order(session.execute(of_orders)),
        frozenset(session.scalars(back)),
        {order_id: state for order_id, state, _ in reservations},
        {order_id: units for order_id, _, units in reservations if units},
    )


def _astray() -> Select[int]:
    before = func.lag(MovementRow.id).over(partition_by=MovementRow.product_id, order_by=MovementRow.id).label("before")
    lines = select(MovementRow.product_id, MovementRow.previous, before).subquery().c
    return select(lines.product_id).where(lines.previous.is_distinct_from(lines.before))


def _order(session: Session) -> _Order:
    status = case((OrderRow.restock, OrderRow.status), else_=_NOT_RESTOCKED)
    orders = session.execute(select(OrderRow.id, status, OrderRow.lines)).all()
    return _Order(
        {order_id: status for order_id, status, _ in orders},
        {order_id: {line.product_id: line.quantity for line in lines} for order_id, _, lines in orders if lines},
    )


def _in_stock(session: Session) -> dict[int, bool | None]:
    return dict(session.execute(select(ProductRow.id, ProductRow.in_stock)).all())


def _by_order(rows: Iterable[Any]) -> dict[UUID, dict[int, int]]:
    found: dict[UUID, dict[int, int]] = {}
    for order, product, units in rows:
        found.setdefault(order, {})[product] = int(units)
    return found


def _count(session: Session, column: Any, *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count(column)).where(*where)) or 0

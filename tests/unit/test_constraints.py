"""What the database itself refuses, whatever the code above it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ecshop.auth.models import Account
from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import writing
from ecshop.order.models import OrderRow
from ecshop.product.models import ProductRow
from ecshop.stock.models import ItemRow, ReservationRow
from tests.unit.schema import MigratedEngine

Rows = Callable[[], list[Any]]
BROKEN: dict[str, tuple[str, str, Rows]] = {
    "more units are promised than there are": ("stock", "never_oversold", lambda: [_item(on_hand=4, reserved=5)]),
    "fewer than no units are promised": ("stock", "never_oversold", lambda: [_item(on_hand=4, reserved=-1)]),
    "fewer than no units are on hand": ("stock", "never_oversold", lambda: [_item(on_hand=-1, reserved=0)]),
    "a reservation is in no known state": ("stock", "known_state", lambda: [_reservation("lost")]),
    "a confirmed order has no user": ("order", "only_a_tombstone_has_no_user", lambda: [_order(user_id=None)]),
    "a fulfilled order has no user": (
        "order",
        "only_a_tombstone_has_no_user",
        lambda: [_order(user_id=None, status="fulfilled", ended_at=now())],
    ),
    "an order is in no known status": ("order", "known_status", lambda: [_order(status="lost")]),
    "an order is cancelled by nobody": (
        "order",
        "cancelled_by_somebody",
        lambda: [_order(status="cancelled", cancelled_by=None, ended_at=now())],
    ),
    "an order stands and is cancelled": ("order", "cancelled_by_somebody", lambda: [_order(cancelled_by="staff")]),
    "an order is cancelled by a stranger": (
        "order",
        "known_canceller",
        lambda: [_order(status="cancelled", cancelled_by="ghost", ended_at=now())],
    ),
    "an order has ended at no time": (
        "order",
        "ended_at_some_time",
        lambda: [_order(status="cancelled", cancelled_by="staff")],
    ),
    "an order costs less than nothing": ("order", "total_not_negative", lambda: [_order(total=-1)]),
    "a product costs less than nothing": ("product", "price_not_negative", lambda: [_product(-1)]),
    "a user has no known role": ("auth", "known_role", lambda: [_account("root")]),
}
CANCELLED = {"status": "cancelled", "cancelled_by": "shop", "ended_at": now()}
SOUND: dict[str, tuple[str, Rows]] = {
    "every unit is promised": ("stock", lambda: [_item(on_hand=4, reserved=4)]),
    "a reservation holds a unit": ("stock", lambda: [_reservation("held")]),
    "a reservation is written off": ("stock", lambda: [_reservation("written_off")]),
    "a tombstone has no user": ("order", lambda: [_order(user_id=None, **CANCELLED)]),
    "a product is free": ("product", lambda: [_product(0)]),
    "a user is an admin": ("auth", lambda: [_account("admin")]),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_the_database_itself_refuses(broken: str, migrated: MigratedEngine) -> None:
    context, check, make = BROKEN[broken]
    failed = pytest.raises(IntegrityError, match=rf"CHECK constraint failed: {check}")
    with Session(writing(migrated(context))) as session, failed:
        _write(session, make())


@pytest.mark.parametrize("sound", SOUND)
def test_the_database_accepts(sound: str, migrated: MigratedEngine) -> None:
    context, make = SOUND[sound]
    with Session(writing(migrated(context))) as session:
        _write(session, make())
        session.commit()


def _write(session: Session, rows: list[Any]) -> None:
    for row in rows:
        session.add(row)
        session.flush()


def _item(on_hand: int, reserved: int) -> ItemRow:
    return ItemRow(product_id=1, on_hand=on_hand, reserved=reserved, version=1)


def _order(**other: Any) -> OrderRow:
    sound = {"id": uuid7(), "status": "confirmed", "version": 1, "user_id": uuid7(), "total": 0, "currency": "EUR"}
    return OrderRow(**(sound | {"lines": (), "placed_at": now()} | other))


def _reservation(state: str) -> ReservationRow:
    return ReservationRow(order_id=uuid7(), state=state, units={1: 1}, expires_at=now() if state == "held" else None)


def _product(price: int) -> ProductRow:
    return ProductRow(name="Tea", detail="", price=price, currency="EUR", on_sale=True)


def _account(role: str) -> Account:
    return Account(id=uuid7(), user_name="A", name_key="a", password_hash="", role=role, created_at=now())

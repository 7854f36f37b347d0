"""What has to be true of a shop after faults, whoever was told what meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import select

from bench import patient
from bench.meanwhile import meanwhile
from bench.persistent import buy_for_certain, with_stock
from ecshop.auth.keys import SigningKey
from ecshop.kernel.db.engine import DatabaseUnusable
from ecshop.order.models import OrderRow
from entrypoints.operations.doctor import examine
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings
from tests.waiting import eventually

BUYERS = 500
_UNITS: Final = 1_000_000  # more than they can buy
SETTLED_WITHIN = 100
"""Seconds: on Pub/Sub receipts that a dead relay had taken come again after their lease."""


def no_order_is_lost_or_doubled(address: str, key: SigningKey, settings: Settings, faults: Callable[[], None]) -> None:
    """Buyers order while the faults happen; all of them are told in the end, and it is so."""
    products, before = with_stock(address, key, 10, _UNITS), _orders(settings)
    told: list[str] = []
    with meanwhile(faults) as happening:
        while not happening.done():
            answers = buy_for_certain(address, key, products, BUYERS)
            assert [answer.text for answer in answers if answer.is_error] == []
            told += [answer.json()["id"] for answer in answers]
    all_books_agree(settings)
    kept = _orders(settings) - before
    assert (set(told) - kept, kept - set(told), len(told)) == (set(), set(), len(kept))
    left = sum(patient.get(f"{address}/stock/{product}").json()["stock"] for product in products)
    assert left == len(products) * _UNITS - len(told)


def all_books_agree(settings: Settings) -> None:
    eventually(lambda: _found(settings), [], seconds=SETTLED_WITHIN)


def _found(settings: Settings) -> list[str]:
    """A server that recovers can be asked in a moment."""
    try:
        return [str(finding) for finding in examine(settings)]
    except DatabaseUnusable as error:
        return [error.detail]


def _orders(settings: Settings) -> set[str]:
    """But for those that were given up."""
    recorded = select(OrderRow.id).where(OrderRow.user_id.is_not(None))
    return beside_the_shop(settings, "order", lambda session: {str(one) for one in session.scalars(recorded)})

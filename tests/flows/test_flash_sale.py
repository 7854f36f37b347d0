"""Many buyers, few units: what must never happen, in one process and as services."""

from __future__ import annotations

from typing import Any

import pytest

from bench.load import Request
from tests.shops import RunningShop
from tests.waiting import eventually

BUYERS, UNITS, ROUNDS = 500, 50, 20


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_five_hundred_buyers_share_fifty_units(shop: RunningShop, _round: int) -> None:
    product = shop.new_product(stock=UNITS)
    tokens = [shop.new_customer() for _ in range(50)]
    path = f"/order?product_id={product}&quantity=1"
    requests = [Request("POST", path, tokens[turn % len(tokens)]) for turn in range(BUYERS)]

    answers = shop.server.load("order", requests, clients=BUYERS, seconds=30, most=BUYERS).answers

    assert answers == {201: UNITS, 409: BUYERS - UNITS}
    eventually(lambda: shop.units(product), (0, 0))
    sold = sum(-line["delta"] for line in _ledger(shop, product) if line["reason"] == "ordered")
    assert sold == UNITS


def _ledger(shop: RunningShop, product: int) -> list[dict[str, Any]]:
    found = shop.call("GET", f"/stock/{product}/movements", shop.staff, params={"limit": 100}).json()
    lines: list[dict[str, Any]] = found["items"]
    return lines

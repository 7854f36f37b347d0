"""The signing key is replaced while services have tokens that the old one signed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from ecshop.auth.keys import FILE, signing_key_in
from ecshop.kernel.identity import Role
from tests.shops import RunningShop, need_redis, shop_apart
from tests.waiting import eventually


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[RunningShop]:
    need_redis()
    with shop_apart(tmp_path) as running:
        yield running


def test_orders_go_on_after_the_signing_key_was_replaced(shop: RunningShop) -> None:
    """The service token that order holds is refused from now on: it fetches another one, and repeats its call."""
    product = shop.new_product(stock=5)
    shop.order(product, 1).raise_for_status()
    (shop.folder / FILE).rename(shop.folder / "old.pem")
    for service in ("auth", "product", "stock"):
        shop.server.signal(service, signal.SIGKILL)
    token = ""

    def order() -> int:
        nonlocal token
        token = token or signing_key_in(shop.folder).token_for_user(uuid4(), Role.CUSTOMER, 900)
        try:
            return shop.order(product, 1, token).status_code
        except httpx.TransportError:
            return 0

    eventually((shop.folder / FILE).exists, True, seconds=30)
    eventually(order, 201, seconds=30)

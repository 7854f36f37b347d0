"""Files that are deleted under a running shop."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import patient
from tests.shops import RunningShop, need_redis, shop_apart, shop_together
from tests.waiting import eventually

SHAPES = {"together": shop_together, "apart": shop_apart}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_order_is_acknowledged_that_would_exist_nowhere(shape: str, tmp_path: Path) -> None:
    need_redis()
    aside = tmp_path / "aside"
    aside.mkdir()
    with SHAPES[shape](tmp_path / "shop") as shop:
        product = shop.new_product(stock=100)
        shop.order(product, 1).raise_for_status()
        eventually(lambda: shop.units(product), (99, 0))
        _move("order.db", shop.folder, aside)
        assert {shop.order(product, 1).status_code for _ in range(20)} == {503}
        assert _ready(shop) == 503
        assert "deleted or replaced" in (shop.folder / "output.log").read_text()
        _move("order.db", aside, shop.folder)
        shop.order(product, 1).raise_for_status()
        assert _ready(shop) == 200


def _ready(shop: RunningShop) -> int:
    return patient.get(f"{shop.server.url('order')}/health/ready").status_code


def _move(name: str, here: Path, there: Path) -> None:
    (here / name).rename(there / name)

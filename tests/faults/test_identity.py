"""Databases that were lost, swapped or cut short at rest, and two shops on one Redis: each knows its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.server import ports_in_a_row
from entrypoints.identity import FILE
from entrypoints.operations.doctor import examine
from entrypoints.settings import Settings
from tests.invariants import all_is_well
from tests.shops import RunningShop, need_redis, shop_apart, shop_together
from tests.waiting import eventually

Shape = Callable[..., AbstractContextManager[RunningShop]]


def ecshop(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecshop", *arguments],
        env={**os.environ, "ECSHOP_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused_start(folder: Path, *, split: bool = False) -> str:
    """What is said by a shop that does not start: one sentence, and no traceback."""
    options = ("--split", "--base-port", str(ports_in_a_row())) if split else ("--port", "0")
    ended = ecshop(folder, "up", *options)
    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "Traceback" not in said
    return said


def remove(folder: Path, pattern: str) -> None:
    for file in folder.glob(pattern):
        file.unlink()


@pytest.fixture(params=[shop_together, shop_apart], ids=["together", "apart"])
def shape(request: pytest.FixtureRequest) -> Shape:
    need_redis()
    found: Shape = request.param
    return found


def test_a_new_database_beside_full_ones_is_refused_until_the_loss_is_accepted(shape: Shape, tmp_path: Path) -> None:
    with shape(tmp_path) as shop:
        product = shop.new_product(stock=3)
        for units in (5, 0, 7):
            shop.call("PUT", f"/stock/{product}", shop.staff, json={"stock": units}).raise_for_status()
        eventually(lambda: shop.product(product)["in_stock"], True)
    remove(tmp_path, "stock.db*")
    said = refused_start(tmp_path, split=shape is shop_apart)
    assert "the database of stock is new, while the shop's others are not" in said
    assert ecshop(tmp_path, "data", "accept", "stock").stdout.startswith("stock: generation 2 from now on")
    with shape(tmp_path) as shop:
        body = {"product_id": product, "stock": 1}
        registered = shop.call("POST", "/stock", shop.staff, json=body).raise_for_status().json()
        assert registered["version"] > 2**40
        shop.order(product, 1).raise_for_status()
        eventually(lambda: shop.product(product)["in_stock"], False)


def test_a_log_that_was_removed_after_a_kill_is_missed(tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    folder = tmp_path / "shop"
    with shop_together(folder) as shop:
        product = shop.new_product(stock=5)
        shop.order(product, 1).raise_for_status()
        eventually(lambda: shop.units(product), (4, 0))
        all_is_well(folder)
        shop.kill()
        (folder / "stock.db-wal").rename(aside / "stock.db-wal")
    assert f"has lost its log {folder / 'stock.db-wal'}" in refused_start(folder)
    assert f"has lost its log {folder / 'stock.db-wal'}" in refused_start(folder)
    (aside / "stock.db-wal").rename(folder / "stock.db-wal")
    with shop_together(folder) as shop:
        assert shop.units(product) == (4, 0)


def test_a_log_that_somebody_else_has_folded_is_not_missed(tmp_path: Path) -> None:
    with shop_together(tmp_path) as shop:
        product = shop.new_product(stock=5)
        eventually(lambda: shop.product(product)["in_stock"], True)
        shop.kill()
    examine(Settings(data_dir=str(tmp_path)))
    assert not (tmp_path / "stock.db-wal").exists()
    with shop_together(tmp_path) as shop:
        assert shop.units(product) == (5, 0)


def test_a_database_of_another_shop_is_refused(tmp_path: Path) -> None:
    for name in ("one", "other"):
        with shop_together(tmp_path / name) as shop:
            shop.new_product(stock=5)
    shutil.copy(tmp_path / "other" / "stock.db", tmp_path / "one" / "stock.db")
    assert "the database of stock is of the shop" in refused_start(tmp_path / "one")


def test_a_shop_finds_its_id_again_in_its_databases(tmp_path: Path) -> None:
    with shop_together(tmp_path) as shop:
        shop.new_product(stock=5)
    first = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).unlink()
    with shop_together(tmp_path):
        assert json.loads((tmp_path / FILE).read_text()) == first


def test_a_server_whose_lock_file_is_gone_writes_no_more(tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    with shop_together(tmp_path) as shop:
        product = shop.new_product(stock=500)
        (tmp_path / "stock.db.lock").rename(aside)
        eventually(lambda: shop.order(product, 1).status_code, 503)
        for _ in range(20):
            assert shop.order(product, 1).status_code == 503
        aside.rename(tmp_path / "stock.db.lock")
        shop.order(product, 1).raise_for_status()


def test_two_shops_on_one_redis_hear_nothing_of_each_other(redis_url: str, tmp_path: Path) -> None:
    with (
        shop_apart(tmp_path / "one", REDIS_URL=redis_url) as one,
        shop_apart(tmp_path / "other", REDIS_URL=redis_url) as other,
    ):
        here, there = one.new_product(stock=5), other.new_product(stock=5)
        assert here == there
        one.order(here, 5).raise_for_status()
        other.order(there, 1).raise_for_status()
        eventually(lambda: one.product(here)["status"], False)
        eventually(lambda: other.units(there), (4, 0))
        assert other.product(there)["status"]
        named = r"ecshop:[0-9a-f]{12}.*other shops use this Redis too"
        assert re.search(named, (tmp_path / "other" / "output.log").read_text())


def test_a_killed_shop_starts_again_on_what_it_left(tmp_path: Path) -> None:
    for _ in range(3):
        with shop_together(tmp_path) as shop:
            shop.new_product(stock=5)
            shop.kill()

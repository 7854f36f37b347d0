"""The same shop on PostgreSQL, with a worker beside it: databases that admit several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from bench.load import Request
from ecshop.kernel.db.engine import open_engine
from entrypoints.contexts import NAMES
from tests.flows.lists import orders, walk
from tests.flows.names import assert_sorted_and_found
from tests.shops import RunningShop, shop_together
from tests.waiting import eventually

pgserver = pytest.importorskip("pgserver", reason="its wheel with a PostgreSQL exists for Linux and Python < 3.13")

BUYERS, UNITS = 300, 50


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("postgres")
    for parent in (folder, *list(folder.parents)[:3]):
        parent.chmod(0o755)  # the server runs as a user of its own when the tests run as root
    server = pgserver.get_server(folder / "data")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for context in NAMES:
            connection.execute(f"CREATE DATABASE shop_{context}")
    yield server.get_uri().replace("postgresql://postgres:@/postgres", "postgresql+psycopg://postgres@/shop_{context}")
    server.cleanup()


@pytest.fixture(scope="module")
def postgres_shop(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with shop_together(tmp_path_factory.mktemp("shop"), ECSHOP_DATABASE_URL=database_url) as shop:
        yield shop


@pytest.fixture(scope="module")
def worker(postgres_shop: RunningShop, database_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """It starts when the shop is there, relays and consumes beside it, and stops cleanly."""
    environment = {**os.environ, "ECSHOP_DATABASE_URL": database_url, "ECSHOP_DATA_DIR": str(postgres_shop.folder)}
    with (postgres_shop.folder / "worker.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "ecshop", "worker"], env=environment, stdout=log, stderr=log)
    yield process
    process.terminate()
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("_round", range(3))
def test_many_buyers_share_fifty_units(
    postgres_shop: RunningShop, worker: subprocess.Popen[bytes], _round: int
) -> None:
    product = postgres_shop.new_product(stock=UNITS)
    requests = [Request("POST", f"/order?product_id={product}&quantity=1", postgres_shop.customer)]
    answers = postgres_shop.server.load("order", requests, clients=BUYERS, seconds=30, most=BUYERS).answers
    assert answers == {201: UNITS, 409: BUYERS - UNITS}
    eventually(lambda: postgres_shop.units(product), (0, 0))
    eventually(lambda: postgres_shop.product(product)["status"], False)
    assert worker.poll() is None


def test_the_same_key_places_one_order(postgres_shop: RunningShop) -> None:
    product, key = postgres_shop.new_product(stock=5), str(uuid4())
    path = f"/order?product_id={product}&quantity=1"
    placed = [postgres_shop.call("POST", path, postgres_shop.customer, headers={"idempotency-key": key}) for _ in "ab"]
    assert placed[0].json() == placed[1].json()
    eventually(lambda: postgres_shop.units(product), (4, 0))


def test_a_cancelled_order_gives_its_units_back(postgres_shop: RunningShop) -> None:
    product = postgres_shop.new_product(stock=5)
    order = postgres_shop.order(product, 5).json()
    eventually(lambda: postgres_shop.product(product)["status"], False)
    postgres_shop.call("POST", f"/orders/{order['id']}/cancel", postgres_shop.customer).raise_for_status()
    eventually(lambda: postgres_shop.units(product), (5, 0))
    listed = postgres_shop.call("GET", "/orders", postgres_shop.customer, params={"limit": 1}).json()
    assert listed["items"][0]["id"] == order["id"]


def test_names_are_sorted_and_found_as_on_sqlite(postgres_shop: RunningShop) -> None:
    assert_sorted_and_found(postgres_shop)


def test_keys_are_sorted_by_code_points_whatever_the_database_sorts_by(
    postgres_shop: RunningShop, database_url: str
) -> None:
    told = text("SELECT table_name, collation_name FROM information_schema.columns WHERE column_name = 'name_key'")
    engine = open_engine(database_url.replace("{context}", "product"))
    with engine.connect() as connection:
        collations = {row.table_name: row.collation_name for row in connection.execute(told)}
    engine.dispose()
    assert collations == {"category": "C", "product": "C"}


def test_a_cancelled_order_that_is_not_restocked_is_lost(postgres_shop: RunningShop) -> None:
    product = postgres_shop.new_product(stock=5)
    order = postgres_shop.order(product, 2).json()
    body = {"reason": "broken in the store", "restock": False}
    postgres_shop.call("POST", f"/orders/{order['id']}/cancel", postgres_shop.staff, json=body).raise_for_status()
    eventually(lambda: postgres_shop.units(product), (3, 0))


def test_lists_are_filtered(postgres_shop: RunningShop) -> None:
    products, buyer = [postgres_shop.new_product(stock=5) for _ in range(2)], postgres_shop.new_customer()
    first, second = (postgres_shop.order(product, 1, buyer).json() for product in products)
    asked = {"placed_after": first["placed_at"], "updated_after": first["updated_at"], "product_id": products[1]}
    assert orders(postgres_shop, buyer, **asked) == [second["id"]]
    asked = {"placed_before": second["placed_at"], "user_id": postgres_shop.user_id(buyer)}
    assert orders(postgres_shop, postgres_shop.staff, **asked) == [first["id"]]
    eventually(lambda: [postgres_shop.units(product) for product in products], [(4, 0), (4, 0)])
    eventually(lambda: [postgres_shop.product(product)["in_stock"] for product in products], [True, True])
    for path in ("/products", "/stock"):
        known = [postgres_shop.call("GET", f"{path}/{product}").json() for product in products]
        moment = min(one["updated_at"] for one in known)
        [later] = [one for one in known if one["updated_at"] > moment]
        assert walk(postgres_shop, path, 100, updated_after=moment) == [later]


def test_a_worker_on_sqlite_says_why_it_is_not_needed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ecshop", "worker", "--data-dir", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "SQLite admits one process" in ended.stderr

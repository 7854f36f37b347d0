"""The same shop on PostgreSQL, with a worker beside it: databases that admit several processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from ecshop.auth.key_file import FILE
from ecshop.kernel.db.engine import open_engine
from tests.databases import OnPostgres, PostgresServer, for_a_shop
from tests.flows.test_commands import ecshop
from tests.shops import RunningShop, need_redis, sell_out, shop_apart, shop_together
from tests.waiting import eventually


@pytest.fixture(scope="module")
def worker(on_postgres: RunningShop) -> Iterator[subprocess.Popen[bytes]]:
    """It starts when the shop is there, relays and consumes beside it, and stops cleanly."""
    url, folder = on_postgres.settings.database_url, on_postgres.settings.data_dir
    environment = {**os.environ, "ECSHOP_DATABASE_URL": url, "ECSHOP_DATA_DIR": folder}
    with (on_postgres.folder / "worker.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "ecshop", "worker"], env=environment, stdout=log, stderr=log)
    yield process
    eventually(lambda: _heeds_sigterm(process.pid), True)
    process.terminate()
    assert process.wait(timeout=20) == 0


def _heeds_sigterm(pid: int) -> bool:
    """It has come so far that the signal does not simply end it; see proc(5)."""
    caught = re.search(r"^SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text(), re.M)
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("_round", range(3))
def test_many_buyers_share_fifty_units(on_postgres: RunningShop, worker: subprocess.Popen[bytes], _round: int) -> None:
    sell_out(on_postgres)
    assert worker.poll() is None


def test_many_buyers_share_fifty_units_of_a_shop_as_services(postgres: PostgresServer, tmp_path: Path) -> None:
    need_redis()
    databases = OnPostgres(postgres)
    with shop_apart(tmp_path, ECSHOP_DATABASE_URL=for_a_shop(databases, migrated=False)) as shop:
        sell_out(shop)
    databases.close()


def test_a_shop_may_have_one_database_with_a_schema_for_each_context(postgres: PostgresServer, tmp_path: Path) -> None:
    databases = OnPostgres(postgres)
    one = databases.url("shop").update_query_dict({"schema": "CONTEXT"}).render_as_string(hide_password=False)
    with shop_together(tmp_path, ECSHOP_DATABASE_URL=one.replace("CONTEXT", "{context}")) as shop:
        sell_out(shop)
    databases.close()


def test_a_revoked_key_is_felt_at_once_and_no_folder_had_it(on_postgres: RunningShop) -> None:
    shop, product = on_postgres, on_postgres.new_product(stock=1)
    assert shop.order(product, 1).status_code == 201
    said = ecshop(
        "keys", "revoke", "--data-dir", shop.settings.data_dir, ECSHOP_DATABASE_URL=shop.settings.database_url
    )
    assert "everybody has to log in again" in said.stdout
    eventually(lambda: shop.call("GET", "/auth/me", shop.customer).status_code, 401, seconds=5)
    shop.sign_anew()
    assert shop.call("GET", "/orders", shop.customer).status_code == 200
    assert not (shop.folder / FILE).exists()


def test_keys_are_sorted_by_code_points_whatever_the_database_sorts_by(on_postgres: RunningShop) -> None:
    told = text("SELECT table_name, collation_name FROM information_schema.columns WHERE column_name = 'name_key'")
    engine = open_engine(on_postgres.settings.database_url.replace("{context}", "product"))
    with engine.connect() as connection:
        collations = {row.table_name: row.collation_name for row in connection.execute(told)}
    engine.dispose()
    assert collations == {"category": "C", "product": "C"}


def test_a_worker_on_sqlite_says_why_it_is_not_needed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ecshop", "worker", "--data-dir", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "SQLite admits one process" in ended.stderr

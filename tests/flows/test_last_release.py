"""The code of the last release on the schema of the next one, as while that is rolled out, and after a way back."""

from __future__ import annotations

import io
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench import patient
from bench.load import Request
from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.db.migration import migrate
from entrypoints.contexts import NAMES
from tests.databases import Databases, OnPostgres, PostgresServer, for_a_shop
from tests.next_schema import next_versions
from tests.shops import sell_out, shop_together

TREE: Final = Path(__file__).parents[2]


def _last_release(folder: Path) -> Path:
    """Its code; before there was one, this."""
    tags = subprocess.run(
        ["git", "-C", str(TREE), "tag", "--list", "v*", "--sort=-v:refname"],
        capture_output=True,
        check=False,
        text=True,
    ).stdout.split()
    if not tags:
        return TREE
    archive = subprocess.run(
        ["git", "-C", str(TREE), "archive", tags[0], "ecshop", "entrypoints"], capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as code:
        code.extractall(folder, filter="data")
    return folder


def test_the_last_release_sells_on_the_next_schema(databases: Databases, tmp_path: Path) -> None:
    for context in NAMES:
        databases.url(context, next_versions(context, tmp_path / "versions" / context))
    code = _last_release(tmp_path / "code")
    environment = {"PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}
    if databases.setting:
        environment["ECSHOP_DATABASE_URL"] = databases.setting
    with shop_together(tmp_path, **environment) as shop:
        sell_out(shop)
        assert "the schema is newer than this code" in (tmp_path / "output.log").read_text()
        assert patient.get(f"{shop.server.url('order')}/health/ready").is_success


def test_a_shop_goes_on_selling_while_its_schema_is_expanded(postgres: PostgresServer, tmp_path: Path) -> None:
    databases = OnPostgres(postgres)
    setting = for_a_shop(databases, migrated=True)
    with shop_together(tmp_path, ECSHOP_DATABASE_URL=setting) as shop:
        product = shop.new_product(stock=100_000)
        orders = [Request("POST", f"/order?product_id={product}&quantity=1", shop.customer)]
        with ThreadPoolExecutor() as beside:
            bought = beside.submit(shop.server.load, "order", orders, clients=8, seconds=3)
            for context in NAMES:
                engine = open_engine(databases.url(context))
                assert migrate(engine, next_versions(context, tmp_path / "versions" / context))
                engine.dispose()
        assert set(bought.result().answers) == {201}
        assert patient.get(f"{shop.server.url('order')}/health/ready").is_success
        sell_out(shop)
    databases.close()

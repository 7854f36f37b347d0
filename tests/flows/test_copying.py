"""A shop moves from files to a server, and back: with all that it has, or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.db.migration import migrate
from tests.databases import OnPostgres, PostgresServer, for_a_shop
from tests.flows.test_commands import ecshop
from tests.images import image, opened
from tests.next_schema import next_versions
from tests.shops import RunningShop, shop_together
from tests.waiting import eventually


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[str]:
    """Empty databases for a shop."""
    databases = OnPostgres(postgres)
    yield for_a_shop(databases, migrated=False)
    databases.close()


def _trade(shop: RunningShop) -> tuple[int, str]:
    """A product with a past, and an order of it; one product is gone, and its number with it."""
    category = shop.new_category()
    product = shop.new_product(stock=5, category_id=category)
    headers = {"content-type": "image/png"}
    shop.call("PUT", f"/products/{product}/picture", shop.staff, content=image(), headers=headers).raise_for_status()
    gone = shop.new_product()
    shop.call("DELETE", f"/products/{gone}", shop.staff).raise_for_status()
    order = shop.order(product, 2).json()["id"]
    shop.call("POST", f"/orders/{shop.order(product, 1).json()['id']}/cancel", shop.customer).raise_for_status()
    eventually(lambda: shop.units(product), (3, 0))
    return product, order


def _goes_on(shop: RunningShop, customer: str, product: int, order: str) -> None:
    """With the tokens, orders and numbers that it had."""
    assert shop.call("GET", f"/orders/{order}", customer).json()["lines"][0]["quantity"] == 2
    assert shop.product(product)["category_id"]
    assert opened(shop.call("GET", f"/products/pictures/{shop.product(product)['picture']}").content).size == (800, 600)
    assert shop.new_product() == product + 2
    assert shop.call("GET", "/products", params={"q": "tea"}).json()["items"]
    shop.order(product, 3, customer).raise_for_status()
    eventually(lambda: shop.product(product)["status"], False)
    history = shop.call("GET", f"/stock/{product}/movements", shop.staff).json()["items"]
    assert [line["delta"] for line in history][:1] == [-3]


def test_a_shop_goes_on_on_a_server_and_in_files_again(server: str, tmp_path: Path) -> None:
    files, back = tmp_path / "files", tmp_path / "back"
    with shop_together(files) as shop:
        customer, (product, order) = shop.customer, _trade(shop)
    there = ecshop("data", "copy", "--to", server, "--data-dir", str(files))
    assert there.returncode == 0, there.stderr
    assert [re.split(r"  +", line)[0] for line in there.stdout.splitlines()] == ["auth", "product", "stock", "order"]
    with shop_together(tmp_path / "on-server", ECSHOP_DATABASE_URL=server) as shop:
        _goes_on(shop, customer, product, order)
        product, order = _trade(shop)
        customer = shop.customer
    returned = ecshop("data", "copy", "--to", str(back), ECSHOP_DATABASE_URL=server)
    assert returned.returncode == 0, returned.stderr
    with shop_together(back) as shop:
        _goes_on(shop, customer, product, order)


def test_what_is_copied_is_the_same_on_both_sides(server: str, tmp_path: Path) -> None:
    with shop_together(tmp_path / "files") as shop:
        _trade(shop)
    first = ecshop("data", "copy", "--to", server, "--data-dir", str(tmp_path / "files"))
    again = ecshop("data", "copy", "--to", str(tmp_path / "copy"), "--data-dir", str(tmp_path / "files"))
    assert first.stdout == again.stdout
    assert "copying rows" in first.stderr


def test_nothing_is_copied_onto_a_shop_that_is_there(server: str, tmp_path: Path) -> None:
    with shop_together(tmp_path / "files") as shop:
        product, _ = _trade(shop)
    with shop_together(tmp_path / "other") as shop:
        shop.new_product()
    for target in (str(tmp_path / "other"), str(tmp_path / "files")):
        refused = ecshop("data", "copy", "--to", target, "--data-dir", str(tmp_path / "files"))
        assert refused.returncode == 1
    refused = ecshop("data", "copy", "--to", str(tmp_path / "other"), "--data-dir", str(tmp_path / "files"))
    assert "name an empty one" in refused.stderr
    with shop_together(tmp_path / "other") as shop:
        assert shop.call("GET", f"/products/{product + 1}").status_code == 404


def test_a_shop_whose_schema_is_ahead_is_not_copied_for_there_is_more_in_it(tmp_path: Path) -> None:
    files = tmp_path / "files"
    with shop_together(files):
        pass
    engine = open_engine(f"sqlite:///{files}/product.db")
    migrate(engine, next_versions("product", tmp_path / "versions"))
    engine.dispose()
    refused = ecshop("data", "copy", "--to", str(tmp_path / "copy"), "--data-dir", str(files))
    assert refused.returncode == 1
    assert "is at version product_" in refused.stderr


def test_a_shop_that_runs_is_not_copied(server: str, tmp_path: Path) -> None:
    with shop_together(tmp_path / "files"):
        refused = ecshop("data", "copy", "--to", server, "--data-dir", str(tmp_path / "files"))
        assert (refused.returncode, "in use" in refused.stderr) == (1, True), refused.stderr
    with shop_together(tmp_path / "on-server", ECSHOP_DATABASE_URL=server):
        refused = ecshop("data", "copy", "--to", str(tmp_path / "copy"), ECSHOP_DATABASE_URL=server)
        assert (refused.returncode, "stop the shop and its workers first" in refused.stderr) == (1, True)


def test_where_there_is_no_shop_there_is_nothing_to_copy(server: str, tmp_path: Path) -> None:
    refused = ecshop("data", "copy", "--to", server, "--data-dir", str(tmp_path / "nothing"))
    assert refused.returncode == 1
    assert "database" in refused.stderr

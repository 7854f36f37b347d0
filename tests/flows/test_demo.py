"""A first look: a new shop has goods on its shelves, customers come on request, and nothing need be left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import patient
from bench.server import ports_in_a_row, running
from entrypoints.contexts import NAMES, SERVICE_NAMES
from entrypoints.local.ports import free_port
from tests.flows.unusable import assert_one_line, ecshop
from tests.shops import RunningShop, need_redis
from tests.waiting import eventually

GOODS = 24
NEW = {"ECSHOP_DEMO": "auto"}
TOGETHER = ("ecshop", "up", "--port", "0")


def goods(address: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = patient.get(f"{address}/products?limit=100").raise_for_status().json()["items"]
    return found


def test_a_new_shop_has_goods_to_look_at_and_an_old_one_what_it_had(tmp_path: Path) -> None:
    with running(tmp_path, *TOGETHER, contexts=NAMES, **NEW) as server:
        shop = RunningShop(server)
        found = goods(server.url("product"))
        assert len(found) == GOODS
        for one in found:
            shop.call("DELETE", f"/products/{one['id']}", shop.staff).raise_for_status()
        shop.close()
    with running(tmp_path, *TOGETHER, contexts=NAMES, **NEW) as server:
        assert goods(server.url("product")) == []
    with running(tmp_path, *TOGETHER, "--demo", contexts=NAMES) as server:
        assert len(goods(server.url("product"))) == GOODS


def test_a_shop_that_is_to_be_empty_is(tmp_path: Path) -> None:
    with running(tmp_path, *TOGETHER, "--no-demo", contexts=NAMES, **NEW) as server:
        assert goods(server.url("product")) == []


def test_as_services_a_new_shop_has_the_same_goods_and_pages_of_them(tmp_path: Path) -> None:
    need_redis()
    command = ("ecshop", "up", "--split", "--base-port", str(ports_in_a_row()))
    with running(tmp_path, *command, contexts=SERVICE_NAMES, **NEW) as server:
        found = goods(server.url("product"))
        assert len(found) == GOODS
        page = patient.get(server.url("web")).raise_for_status().text
        assert [one["name"] for one in found if str(one["name"]) not in page] == []
        sold_out = [one["id"] for one in found if one["status"] is False]
        assert len(sold_out) == 1


def test_customers_come_and_buy_and_what_sells_out_is_delivered(shop: RunningShop) -> None:
    address = shop.gateway or shop.server.url("order")
    shop.new_product(stock=0)
    server = {"ECSHOP_DATABASE_URL": shop.settings.database_url} if shop.settings.database_url else {}
    done = ecshop("demo", "traffic", address, "--rate", "100", "--orders", "12", folder=shop.folder, **server)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    assert all(": order " in line or "stock.insufficient" in line or "discontinued" in line for line in lines)
    placed = [line.rpartition(": order ")[2] for line in lines if ": order " in line]
    for order_id in placed:
        assert shop.call("GET", f"/orders/{order_id}", shop.staff).json()["status"] == "confirmed"


def test_customers_who_find_no_shop_say_so(tmp_path: Path) -> None:
    done = ecshop("demo", "traffic", f"http://127.0.0.1:{free_port()}", folder=tmp_path)
    assert_one_line(done, "nothing answers", "start the shop first")


def test_a_shop_for_a_moment_sells_by_the_command_that_it_shows_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ECSHOP_DATA_DIR"}
    environment |= {"TMPDIR": str(tmp_path / "tmp"), "ECSHOP_DEMO": "auto"}
    command = [sys.executable, "-m", "ecshop", "up", "--port", "0", "--ephemeral"]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=out)
    eventually(lambda: "The shop is open" in (tmp_path / "out").read_text(), True, seconds=30)
    assert list((tmp_path / "tmp").glob("ecshop-*/product.db"))
    eventually(lambda: "Place an order:" in (tmp_path / "out").read_text(), True)
    [order] = re.findall(r"^  (curl (?:.*\\\n)*.*)$", (tmp_path / "out").read_text(), re.M)
    answered = subprocess.run(order, shell=True, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert b'"status":"confirmed"' in answered.stdout
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "variables", "words"),
    [
        (("--ephemeral", "--data-dir", "kept"), {}, ("--ephemeral", "--data-dir")),
        (
            ("--ephemeral",),
            {"ECSHOP_DATABASE_URL": "postgresql+psycopg://shop@127.0.0.1/{context}"},
            ("--ephemeral", "ECSHOP_DATABASE_URL"),
        ),
        ((), {"ECSHOP_DEMO": "maybe"}, ("ECSHOP_DEMO", "auto")),
    ],
    ids=["two folders", "a server", "no choice"],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, options: tuple[str, ...], variables: dict[str, str], words: tuple[str, ...]
) -> None:
    assert_one_line(ecshop("up", "--port", "0", *options, folder=tmp_path / "data", **variables), *words)
    assert not (tmp_path / "data" / "product.db").exists()

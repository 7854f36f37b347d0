"""`ecshop logs`: one order, request or event through the logs of all services."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.shops import RunningShop
from tests.waiting import eventually

HEARD = [("stock", "ecshop.order.confirmed.v1"), ("product", "ecshop.stock.depleted.v1")]


def logs(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecshop", "logs", *options, "--data-dir", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def lines(folder: Path, *options: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in logs(folder, "--json", *options).stdout.splitlines()]


def heard(folder: Path, *options: str) -> list[tuple[str, str]]:
    """By which process which event was applied."""
    found = lines(folder, *options)
    return [(line["process"], line["type"]) for line in found if "did" in line and "ignored" not in line["did"]]


def test_an_order_is_followed_over_all_services_to_the_product_that_goes_off_sale(apart: RunningShop) -> None:
    request_id = f"r-{uuid4()}"
    order = apart.order(apart.new_product(stock=1), 1, **{"X-Request-ID": request_id}).json()["id"]
    eventually(lambda: heard(apart.folder, "--order", order), HEARD)
    found = lines(apart.folder, "--order", order)
    served = [(line["process"], line["path"]) for line in found if line["event"] == "request"]
    assert sorted(served) == [
        ("order", "/order"),
        ("product", "/internal/quotes"),
        ("stock", "/internal/reservations"),
    ]
    assert [line["timestamp"] for line in found] == sorted(line["timestamp"] for line in found)

    [event] = {line["event_id"] for line in found if line.get("subject") == order}
    assert lines(apart.folder, "--request", request_id) == found == lines(apart.folder, "--event", event)
    readable = logs(apart.folder, "--order", order).stdout
    assert f"stock     heard ecshop.order.confirmed.v1 {order}: committed" in readable
    assert "POST /order 201 in " in readable


def test_what_no_line_is_about_is_said(apart: RunningShop) -> None:
    told = logs(apart.folder, "--order", str(uuid4()))
    assert (told.returncode, told.stdout) == (1, "")
    assert "no line is about the order" in told.stderr


@pytest.mark.parametrize("options", [(), ("--request", "1", "--event", "2")])
def test_one_thing_is_followed(tmp_path: Path, options: tuple[str, ...]) -> None:
    told = logs(tmp_path, *options)
    assert told.returncode == 1
    assert "one of --order ID, --request ID and --event ID" in told.stderr


def test_where_no_log_is_kept_it_says_how_it_would_be(tmp_path: Path) -> None:
    told = logs(tmp_path, "--order", str(uuid4()))
    assert told.returncode == 1
    assert "ECSHOP_LOG_FOLDER" in told.stderr


@pytest.mark.sqlite_only
def test_what_a_client_makes_up_is_in_no_line(shop: RunningShop) -> None:
    secret, mark = f"sk-{uuid4().hex}", str(uuid4())
    shop.call("GET", f"/products/{secret}/{secret}", secret, headers={"x-request-id": mark})
    shop.call("GET", f"/products?q={secret}", headers={"cookie": secret, "user-agent": secret, "referer": secret})
    shop.call("POST", "/products", shop.staff, json={secret: secret})
    last = str(uuid4())
    shop.call("GET", "/products", headers={"x-request-id": last})
    output = shop.folder / "output.log"
    eventually(lambda: last in output.read_text(), True)
    assert mark in output.read_text()
    assert secret not in output.read_text()


@pytest.mark.sqlite_only
def test_a_login_is_logged_with_the_account_and_its_role_and_without_its_name(shop: RunningShop) -> None:
    name, password, marks = f"login-{uuid4()}", "correct horse battery", [str(uuid4()), str(uuid4())]
    user = shop.call("POST", "/auth/signup", json={"user_name": name, "password": password}).json()
    for mark, sent in zip(marks, (password, "another password"), strict=True):
        shop.call("POST", "/auth/login", json={"username": name, "password": sent}, headers={"x-request-id": mark})
    output = shop.folder / "output.log"
    eventually(lambda: all(mark in output.read_text() for mark in marks), True)
    lines = [line for line in output.read_text().splitlines() if any(mark in line for mark in marks)]
    good, bad = (json.loads(line[line.index("{") :]) for line in lines)
    assert (good["account_id"], good["role"], good["client"]) == (user["id"], "customer", "127.0.0.1")
    assert (bad["account_id"], bad["code"], "role" in bad) == (user["id"], "auth.invalid_credentials", False)
    assert name not in output.read_text()

"""Who has no password at hand is signed in by a link: from the command line, and from what a start prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.patient import START
from bench.server import ports_in_a_row, running
from entrypoints.contexts import NAMES, SERVICE_NAMES
from tests.flows.unusable import assert_one_line, ecshop
from tests.shops import need_redis
from tests.waiting import eventually

LINK = re.compile(r"^  (http://127\.0\.0\.1:\d+/shop/link\?token=er_\S+)$", re.M)
TOGETHER = ("ecshop", "up", "--port", "0")


@pytest.mark.parametrize("is_split", [False, True])
def test_a_start_in_development_shows_a_link_that_opens_the_console(is_split: bool, tmp_path: Path) -> None:
    if is_split:
        need_redis()
    command = ("ecshop", "up", "--split", "--base-port", str(ports_in_a_row())) if is_split else TOGETHER
    with running(tmp_path, *command, contexts=SERVICE_NAMES if is_split else NAMES) as server:
        output = server.folder / "output.log"
        eventually(lambda: "Place an order:" in output.read_text(), True, seconds=START)
        [link] = LINK.findall(output.read_text(), True)
        assert link.startswith(server.url("web" if is_split else "auth"))


def test_a_shop_for_real_shows_none(tmp_path: Path) -> None:
    real = {"ECSHOP_PROFILE": "production", "ECSHOP_TRUSTED_PROXIES": "127.0.0.1", "ECSHOP_DOCS": "open"}
    with running(tmp_path, *TOGETHER, contexts=NAMES, **real) as server:
        output = server.folder / "output.log"
        eventually(lambda: "user add NAME --role admin" in output.read_text(), True)
        assert "token=" not in output.read_text()
    assert ecshop("user", "list", folder=tmp_path).stdout == ""


def test_a_link_is_for_the_first_admin_who_is_made_where_there_is_none(tmp_path: Path) -> None:
    ecshop("user", "add", "haru", folder=tmp_path, given="a long password")
    link = ecshop("user", "link", "--at", "https://shop.example/", folder=tmp_path).stdout
    assert re.fullmatch(r"https://shop\.example/shop/link\?token=er_\S+\n", link)
    assert link != ecshop("user", "link", "--at", "https://shop.example/", folder=tmp_path).stdout
    found = [line.split()[:2] for line in ecshop("user", "list", folder=tmp_path).stdout.splitlines()]
    assert found == [["admin", "admin"], ["haru", "customer"]]


def test_a_link_for_who_may_not_sign_in_is_refused(tmp_path: Path) -> None:
    assert_one_line(ecshop("user", "link", folder=tmp_path), "auth database")
    ecshop("user", "add", "haru", folder=tmp_path, given="a long password")
    ecshop("user", "disable", "haru", folder=tmp_path)
    assert_one_line(ecshop("user", "link", "haru", folder=tmp_path), "haru is disabled")
    ecshop("user", "link", folder=tmp_path)
    ecshop("user", "disable", "admin", folder=tmp_path)
    assert_one_line(ecshop("user", "link", folder=tmp_path), "admin is disabled")
    assert_one_line(ecshop("user", "link", "nobody", folder=tmp_path), "nobody is called nobody")

"""The walk through the shop, taken out of the README and run as it stands there, and then once more."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tools import ROOT
from tests.shops import RunningShop

pytestmark = pytest.mark.sqlite_only

READMES = ("README.md", "README.ja.md")
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)


def blocks_of(readme: str) -> list[str]:
    return BLOCK.findall((ROOT / readme).read_text())


def walk_of(readme: str) -> str:
    blocks = blocks_of(readme)
    [first] = [place for place, block in enumerate(blocks) if block.startswith("AUTH=")]
    [last] = [place for place, block in enumerate(blocks) if "user add" in block]
    return "".join(blocks[first : last + 1])


def walk(shop: RunningShop) -> list[Any]:
    """The answers that it prints. Its pauses are longer here, since the machine may have other things to do."""
    script = walk_of("README.md").replace(".venv/bin/ecshop", str(Path(sys.executable).with_name("ecshop")))
    for name, path in (("AUTH", "/auth"), ("PRODUCT", "/products"), ("STOCK", "/stock"), ("ORDER", "/orders")):
        script = script.replace(f"{name}=http://127.0.0.1:8000", f"{name}={shop.url(path).removesuffix(path)}")
    done = subprocess.run(
        ["sh", "-c", script.replace("sleep 1", "sleep 2")],
        env=os.environ | {"ECSHOP_DATA_DIR": str(shop.folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [json.loads(line) if line.startswith("{") else line for line in done.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's walk needs curl")
def test_the_walk_shows_what_it_says_and_can_be_walked_again(shop: RunningShop) -> None:
    shop.order(shop.new_product(stock=5), 5)  # as the banner's order does
    for _ in range(2):
        *answers, hana, logged_in = walk(shop)
        stocked, aoi, first, empty, gone, discontinued, delivered, short, unknown, cancelled, returned, ledger = answers
        assert (stocked["stock"], aoi["role"], first["status"], first["total"]) == (5, "customer", "confirmed", 6000)
        assert (empty["stock"], gone["status"], discontinued["code"]) == (0, False, "product.discontinued")
        assert (delivered["stock"], short["code"], short["lines"][0]["available"]) == (3, "stock.insufficient", 3)
        assert (unknown["code"], cancelled["status"], cancelled["id"]) == (
            "product.not_found",
            "cancelled",
            first["id"],
        )
        assert returned["stock"] == 8
        assert (hana[:4], hana[-12:], logged_in["token_type"]) == ("hana", "is staff now", "bearer")
        assert [line["delta"] for line in ledger["items"]] == [5, 3, -5, 5]


def test_both_languages_walk_the_same_way() -> None:
    assert blocks_of("README.ja.md") == blocks_of("README.md")


@pytest.mark.parametrize("readme", READMES)
def test_what_is_to_be_pasted_holds_no_comment(readme: str) -> None:
    """zsh takes a `#` that is typed or pasted for a word."""
    lines = [line for block in blocks_of(readme) for line in block.splitlines()]
    assert [line for line in lines if re.search(r"(^|\s)#", line)] == []

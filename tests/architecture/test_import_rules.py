"""The import rules bite: each one catches the violation that is planted for it in a copy of the house."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

VIOLATIONS = {
    "Imports point down": ("ecshop/product/service.py", "import ecshop.order.contract"),
    "Imports point down: a room that nobody named": ("ecshop/payment/__init__.py", ""),
    "Nothing in the house knows where processes begin": ("ecshop/auth/service.py", "import entrypoints.compose"),
    "Inside a context: module > http > service > models > contract": (
        "ecshop/stock/service.py",
        "import ecshop.stock.http",
    ),
    "Inside a context: a room that nobody named": ("ecshop/stock/helpers.py", ""),
    "A context enters another one by its contract only": (
        "ecshop/order/service.py",
        "import ecshop.stock.reservations",
    ),
    "Contracts are independent of each other": ("ecshop/order/contract.py", "import ecshop.stock.contract"),
    "Contracts know no framework": ("ecshop/stock/contract.py", "import sqlalchemy"),
    "Services and models know neither HTTP nor a broker": ("ecshop/stock/models.py", "import httpx"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for part in ("ecshop", "entrypoints"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("vendor", "__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_the_house_as_it_stands_keeps_the_rules(house: Path) -> None:
    linted = lint(house)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("rule", VIOLATIONS)
def test_a_planted_violation_is_found(rule: str, house: Path) -> None:
    file, line = VIOLATIONS[rule]
    planted = house / file
    planted.parent.mkdir(exist_ok=True)
    text = planted.read_text() if planted.exists() else ""
    planted.write_text(text + f"\n{line}\n")
    linted = lint(house)
    assert linted.returncode == 1, linted.stdout
    told = " ".join((linted.stdout + linted.stderr).split())
    assert f"{rule.split(': a room', maxsplit=1)[0]}" in told
    assert "BROKEN" in told or "Missing layer" in told or "exhaustive" in told.lower()

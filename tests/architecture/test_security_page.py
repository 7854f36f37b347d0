"""The pages about security claim nothing that no test shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

PROJECT: Final = Path(__file__).parents[2]
PAGES: Final = {name: (PROJECT / "docs" / f"{name}.md").read_text() for name in ("security", "asvs")}
REQUIREMENTS: Final = 70 + 183
"""Of ASVS 5.0: those of level 1, and those that level 2 adds."""
ROW: Final = re.compile(r"^\| (V\d[\d., V]*) \|.*\| (.*) \|$", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


@each_page
def test_every_test_that_it_names_is_there(page: str) -> None:
    written = "\n".join(file.read_text() for file in (PROJECT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in written} == set()


@each_page
def test_every_file_that_it_names_is_there(page: str) -> None:
    named = set(re.findall(r"`((?:tests|docs|deploy)/[\w/.-]+\.\w+)`", page))
    assert len(named) > 20
    assert {name for name in named if not (PROJECT / name).is_file()} == set()


def test_each_requirement_of_the_standard_comes_to_something_once() -> None:
    here, there = PAGES["asvs"].split("## V1 ")
    told = [(names.split(", "), verdict) for names, verdict in ROW.findall(there)]
    missing = re.findall(r"V\d+\.\d+\.\d+", here)
    ids = [*missing, *(name for names, _ in told for name in names)]
    assert (len(ids), len(set(ids))) == (REQUIREMENTS, REQUIREMENTS)
    assert {verdict for _, verdict in told if not re.match("(met|partly|not met)[,: ]", verdict)} == set()

"""The way of an order through the files, as the READMEs have it: short, without a way back, and along real files."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.tools import ROOT

MOST_STOPS = 8
STOP = re.compile(r"^\d\. `(\w+/\w+\.py)`", re.M)


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_an_order_takes_few_stops_and_none_of_them_twice(readme: str) -> None:
    stops = STOP.findall((ROOT / readme).read_text())
    assert 1 < len(stops) == len(set(stops)) <= MOST_STOPS
    for stop in stops:
        says = ast.get_docstring(ast.parse((ROOT / "ecshop" / stop).read_text())) or ""
        assert says.splitlines()[0].endswith("."), stop

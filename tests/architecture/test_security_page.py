"""The page of what a stranger can send claims nothing that no test shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[2]
PAGE: Final = (PROJECT / "docs" / "security.md").read_text()


def test_every_test_that_it_names_is_there() -> None:
    written = "\n".join(file.read_text() for file in (PROJECT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in written} == set()


def test_every_file_that_it_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert {name for name in named if not (PROJECT / name).is_file()} == set()

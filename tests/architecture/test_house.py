"""A newcomer sees the architecture in the folder tree: the same rooms everywhere, and none too large."""

from __future__ import annotations

import tomllib

import pytest

from entrypoints.contexts import NAMES
from tests.architecture.tools import ROOT

ROOMS = ("__init__.py", "contract.py", "models.py", "service.py", "http.py", "module.py", "migrations")
LONGEST = 300  # lines


@pytest.mark.parametrize("context", NAMES)
def test_every_context_has_the_same_rooms(context: str) -> None:
    assert [room for room in ROOMS if not (ROOT / "ecshop" / context / room).exists()] == []


@pytest.mark.parametrize("context", NAMES)
def test_every_context_says_what_it_owns(context: str) -> None:
    assert " owns " in (ROOT / "ecshop" / context / "__init__.py").read_text().splitlines()[0]


def test_no_file_is_too_long() -> None:
    files = [file for part in ("ecshop", "entrypoints", "bench", "tests") for file in (ROOT / part).rglob("*.py")]
    assert [str(file) for file in files if len(file.read_text().splitlines()) > LONGEST] == []


def test_the_kernel_knows_no_word_of_the_business() -> None:
    words = ("product", "stock", "reservation", "category")
    files = sorted((ROOT / "ecshop" / "kernel").rglob("*.py"))
    texts = {str(file): file.read_text().lower().replace("unicodedata.category", "") for file in files}
    assert [file for file, text in texts.items() for word in words if word in text] == []


def test_the_suite_runs_what_there_is_to_run() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert sorted(settings["testpaths"]) == sorted(
        {f"tests/{file.relative_to(ROOT / 'tests').parts[0]}" for file in (ROOT / "tests").rglob("test_*.py")}
    )

"""What a shop loads to start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.server import ports_in_a_row, running
from entrypoints.contexts import NAMES
from tests.shops import need_redis


@pytest.mark.parametrize("mode", ["one process", "services"])
def test_alembic_is_loaded_only_where_there_is_something_to_migrate(mode: str, tmp_path: Path) -> None:
    assert "alembic" in _loaded(mode, tmp_path)  # into an empty folder
    assert "alembic" not in _loaded(mode, tmp_path)


def _loaded(mode: str, folder: Path) -> set[str]:
    """The packages that all of its processes have imported."""
    command = ["--port", "0"]
    if mode == "services":
        need_redis()
        command = ["--split", "--base-port", str(ports_in_a_row())]
    with running(folder, "ecshop", "up", *command, contexts=NAMES, PYTHONPROFILEIMPORTTIME="1"):
        pass
    told = (folder / "output.log").read_text(errors="replace")
    return set(re.findall(r"import time: +\d+ \| +\d+ \| +(\w+)$", told, re.MULTILINE))

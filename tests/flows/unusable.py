"""A command that cannot do its work, and how it has to say so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

UP = ("up", "--port", "0")
SERVE = ("serve", "auth", "--port", "0")


def ecshop(*command: str, folder: Path, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("ECSHOP_", "REDIS_", "PORT"))}
    return subprocess.run(
        [sys.executable, "-m", "ecshop", *command],
        input=given,
        env=known | {"ECSHOP_DATA_DIR": str(folder), "ECSHOP_DEMO": "off"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("ecshop: ")
    for word in words:
        assert word in lines[0], lines[0]

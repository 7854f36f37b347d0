"""What an installed promtool says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def promtool(*command: str | Path) -> None:
    """Fails the test with what it has found; skips it where there is none."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool on the PATH")
    done = subprocess.run([found, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

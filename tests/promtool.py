"""What an installed promtool says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def promtool(*command: str | Path, given: str | None = None) -> str:
    """Its warnings. Fails the test when it refuses what it is `given` or pointed to; skips it where there is none."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool on the PATH")
    done = subprocess.run([found, *command], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr

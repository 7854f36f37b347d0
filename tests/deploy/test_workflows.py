"""What GitHub runs is what a laptop runs, by the same commands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.architecture.tools import ROOT

WORKFLOWS: Final = sorted((ROOT / ".github/workflows").glob("*.yml"))
TOOLS: Final = Path(sys.executable).parent
LINTERS: Final = {
    "actionlint": ("actionlint", f"-shellcheck={TOOLS / 'shellcheck'}", "-no-color"),
    "zizmor": ("zizmor", "--offline", "--quiet", "--no-progress"),
    "its schema": ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
}
BAD: Final = {
    "actionlint": ("${{ matrix.python }}", "${{ matrix.pyton }}"),
    "zizmor": ("@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5"),
    "its schema": ("runs-on:", "run-on:"),
}
CI: Final = (ROOT / ".github/workflows/ci.yml").read_text()


def findings(linter: str, workflow: Path) -> str:
    program, *options = LINTERS[linter]
    done = subprocess.run(
        [TOOLS / program, *options, workflow], capture_output=True, check=False, text=True, cwd=workflow.parent
    )
    return done.stdout + done.stderr if done.returncode else ""


def steps(workflow: str) -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(workflow)["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_has_nothing_against_it(linter: str, workflow: Path) -> None:
    assert findings(linter, workflow) == ""


@pytest.mark.parametrize("linter", LINTERS)
def test_the_linter_finds_what_is_wrong(linter: str, tmp_path: Path) -> None:
    good, bad = BAD[linter]
    assert good in CI
    workflow = tmp_path / ".github/workflows/ci.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(CI.replace(good, bad))
    assert findings(linter, workflow) != ""


def test_it_calls_commands_that_there_are() -> None:
    known = re.findall(r"^    ([a-z]+)\)", (ROOT / "dev").read_text(), re.MULTILINE)
    called = [word for step in steps(CI) for word in re.findall(r"\./dev ([a-z]+)", step.get("run", ""))]
    assert called == ["lint", "test"]
    assert set(called) <= set(known)


def test_it_installs_what_the_tests_need_on_a_machine_of_nobody() -> None:
    needed = re.findall(r"missing\+=\(([\w-]+)\)", (ROOT / ".ci/run").read_text())
    installed = " ".join(step["run"] for step in steps(CI) if "apt-get install" in step.get("run", "")).split()
    assert len(needed) >= 3
    assert set(needed) <= set(installed)


def test_it_begins_with_the_oldest_python_that_ecshop_runs_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tried = yaml.safe_load(CI)["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={tried[0]}"

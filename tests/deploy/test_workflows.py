"""What GitHub and Cloud Build run is what a laptop runs, by the same commands."""

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
RELEASE: Final = (ROOT / ".github/workflows/release.yml").read_text()
CLOUD_BUILD: Final = ROOT / "cloudbuild.yaml"
DEPENDABOT: Final = ROOT / ".github/dependabot.yml"
STEPS: Final = ["release canary", "release smoke", "release promote"]


def findings(linter: str, workflow: Path) -> str:
    program, *options = LINTERS[linter]
    done = subprocess.run(
        [TOOLS / program, *options, workflow], capture_output=True, check=False, text=True, cwd=workflow.parent
    )
    return done.stdout + done.stderr if done.returncode else ""


def steps(workflow: str) -> list[dict[str, Any]]:
    """Of all jobs but those that are workflows themselves."""
    return [step for job in yaml.safe_load(workflow)["jobs"].values() for step in job.get("steps", [])]


def called(runs: list[str]) -> list[str]:
    """The commands of `./dev`, with the step of a release."""
    return [call.strip() for run in runs for call in re.findall(r"\./dev ((?:release )?[a-z]+)", run)]


def refusal(schema: str, file: Path) -> str:
    program = (TOOLS / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", file)
    done = subprocess.run(program, capture_output=True, check=False, text=True)
    return done.stdout + done.stderr if done.returncode else ""


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


def test_all_call_commands_that_there_are() -> None:
    known = re.findall(r"^    ([a-z]+)\)", (ROOT / "dev").read_text(), re.MULTILINE)
    ci, release = (called([step.get("run", "") for step in steps(file)]) for file in (CI, RELEASE))
    cloud_build = called([step["script"] for step in yaml.safe_load(CLOUD_BUILD.read_text())["steps"]])
    assert ci == ["lint", "test", "image", "wheel", "sbom", "audit"]
    assert release == ["release check", "wheel", "sbom", "image", "push", *STEPS]
    assert cloud_build == ["release check", "audit", "wheel", "sbom", "image", "push", *STEPS]
    assert {call.split()[0] for call in [*ci, *release, *cloud_build]} <= set(known)


def test_it_installs_what_the_tests_need_on_a_machine_of_nobody() -> None:
    """Of browsers GitHub's machines have Google Chrome."""
    needed = set(re.findall(r"missing\+=\(([\w-]+)\)", (ROOT / ".ci/run").read_text())) - {"chromium-headless-shell"}
    installed = " ".join(step["run"] for step in steps(CI) if "apt-get install" in step.get("run", "")).split()
    assert len(needed) >= 3
    assert needed <= set(installed)


def test_it_begins_with_the_oldest_python_that_ecshop_runs_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tried = yaml.safe_load(CI)["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={tried[0]}"


def test_a_release_is_tested_before_it_is_built_and_built_before_it_is_deployed() -> None:
    jobs = yaml.safe_load(RELEASE)["jobs"]
    assert jobs["ci"]["uses"] == "$/.github/workflows/ci.yml"
    assert "workflow_call" in yaml.safe_load(CI)[True]  # YAML 1.1 reads `on` so
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "check": None,
        "ci": "check",
        "build": "ci",
        "deploy": "build",
    }
    assert jobs["deploy"]["env"]["IMAGE"] == "${{ needs.build.outputs.image }}"


def test_no_key_is_kept_anywhere_and_only_who_needs_google_can_prove_who_it_is() -> None:
    assert "secrets." not in CI + RELEASE
    release = yaml.safe_load(RELEASE)
    assert release["permissions"] == {}
    proves = {name for name, job in release["jobs"].items() if job["permissions"].get("id-token") == "write"}
    signs_in = {name for name, job in release["jobs"].items() if "google-github-actions/auth" in str(job)}
    assert proves == signs_in == {"build", "deploy"}


def test_every_action_is_named_by_its_commit_and_the_same_everywhere() -> None:
    used = re.findall(r"uses: ([\w/-]+)@(\S+)(?: # (v[\d.]+))?$", CI + RELEASE, re.MULTILINE)
    assert len(used) == len(re.findall("uses: (?![$]/)", CI + RELEASE))
    assert [name for name, commit, version in used if not (re.fullmatch("[0-9a-f]{40}", commit) and version)] == []
    assert len(set(used)) == len({name for name, *_ in used})


def test_what_is_attested_is_what_is_deployed() -> None:
    build = yaml.safe_load(RELEASE)["jobs"]["build"]
    [push] = [step["run"] for step in build["steps"] if step.get("id") == "push"]
    assert 'echo "digest=$(cut -d @ -f 2 dist/image)"' in push
    assert 'echo "image=$(cat dist/image)"' in push
    attested = [step["with"] for step in build["steps"] if "attest-build-provenance" in step.get("uses", "")]
    assert attested[0]["subject-digest"] == "${{ steps.push.outputs.digest }}"
    assert attested[1]["subject-path"].split() == ["dist/*.whl", "dist/*.cdx.json"]


@pytest.mark.parametrize(("schema", "file"), [("cloudbuild", CLOUD_BUILD), ("dependabot", DEPENDABOT)])
def test_its_schema_has_nothing_against_it(schema: str, file: Path) -> None:
    assert refusal(schema, file) == ""


@pytest.mark.parametrize(
    ("schema", "file", "good", "bad"),
    [
        ("cloudbuild", CLOUD_BUILD, "script:", "scripts:"),
        ("dependabot", DEPENDABOT, "interval: weekly", "interval: seldom"),
    ],
)
def test_the_schema_finds_what_is_wrong(schema: str, file: Path, good: str, bad: str, tmp_path: Path) -> None:
    wrong = tmp_path / file.name
    wrong.write_text(file.read_text().replace(good, bad))
    assert refusal(schema, wrong) != ""


def test_the_scripts_of_cloud_build_are_sound(tmp_path: Path) -> None:
    for step in yaml.safe_load(CLOUD_BUILD.read_text())["steps"]:
        script = tmp_path / f"{step['id']}.sh"
        script.write_text(step["script"])
        done = subprocess.run([TOOLS / "shellcheck", "-s", "sh", script], capture_output=True, check=False, text=True)
        assert done.stdout == ""


def test_cloud_build_tells_a_release_all_that_it_asks_for() -> None:
    asked = set(re.findall(r'"\$\{([A-Z_]+):\?\}"', (ROOT / "deploy/cloudrun/release.sh").read_text()))
    *_, release = yaml.safe_load(CLOUD_BUILD.read_text())["steps"]
    told = {one.split("=")[0] for one in release["env"]} | set(
        re.findall(r"^export (\w+)", release["script"], re.MULTILINE)
    )
    assert told == set(yaml.safe_load(RELEASE)["jobs"]["deploy"]["env"]) == asked


def test_dependabot_looks_weekly_at_what_is_pinned_and_asks_once_for_all() -> None:
    updates = yaml.safe_load(DEPENDABOT.read_text())["updates"]
    assert {one["package-ecosystem"] for one in updates} == {"pip", "github-actions", "docker", "docker-compose"}
    assert {one["schedule"]["interval"] for one in updates} == {"weekly"}
    assert [len(one["groups"]) for one in updates] == [1] * len(updates)
    folders = {folder for one in updates for folder in one.get("directories", [one.get("directory")])}
    assert [folder for folder in folders if not (ROOT / folder.strip("/")).is_dir()] == []

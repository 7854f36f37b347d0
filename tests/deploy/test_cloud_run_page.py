"""docs/deploy-cloud-run.md sets what the files that it deploys ask for; gcloud has its commands, and releasing.md's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.cloudrun import FOLDER, PLACEHOLDERS
from tests.deploy.gcloud import calls_in, calls_in_line, unknown

PAGE: Final = (Path(__file__).parents[2] / "docs" / "deploy-cloud-run.md").read_text()
PAGES: Final = (PAGE, (Path(__file__).parents[2] / "docs" / "releasing.md").read_text())


@pytest.mark.parametrize("call", [call for page in PAGES for call in calls_in(page)], ids=" ".join)
def test_gcloud_has_each_command_with_its_flags(call: list[str]) -> None:
    assert unknown(call) == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("gcloud run services replaces -", ["replaces"]),
        ("A=$(gcloud sql instances create shop --teir=x --region=$REGION)", ["--teir=x"]),
        ("x | gcloud secrets create shop --data-file", ["--data-file"]),
        ("gcloud run jobs execute shop --wait=yes && true", ["--wait=yes"]),
        ("gcloud run jobs execute shop --no-tasks", ["--no-tasks"]),
    ],
)
def test_a_command_or_flag_that_gcloud_does_not_have_is_found(line: str, wrong: list[str]) -> None:
    [call] = calls_in_line(line)
    assert unknown(call) == wrong


def test_it_sets_all_that_the_files_leave_open() -> None:
    exported = {name for line in re.findall(r"^export (.+)$", PAGE, re.M) for name in re.findall(r"(\w+)=", line)}
    open_ = {name for file in FOLDER.glob("*.yaml") for name in re.findall(r"\$\{(\w+)\}", file.read_text())}
    assert open_ == set(PLACEHOLDERS)
    assert open_ <= exported


def test_it_deploys_every_file() -> None:
    named = {name for line in re.findall(r"deploy/cloudrun/([\w$-]+)\.yaml", PAGE) for name in [line]}
    loops = re.findall(r"^for SERVICE in (.+); do$", PAGE, re.M)
    files = (named - {"$SERVICE"}) | {name for loop in loops for name in loop.split()}
    assert files == {file.stem for file in FOLDER.glob("*.yaml")}

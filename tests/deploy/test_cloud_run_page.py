"""docs/deploy-cloud-run.md: its commands are gcloud's, and it sets what the files that it deploys ask for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.cloudrun import FOLDER, PLACEHOLDERS
from tests.deploy.gcloud import commands

PAGE: Final = (Path(__file__).parents[2] / "docs" / "deploy-cloud-run.md").read_text()
BLOCKS: Final = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
ENDS: Final = set("();|&<>")


def _lines(block: str) -> list[str]:
    return re.sub(r"(\\|\|)\n\s*", lambda end: end[1].strip("\\") + " ", block).splitlines()


def _gcloud_calls(line: str) -> Iterator[list[str]]:
    """The words of each call, wherever in the line it stands."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="".join(ENDS))
    lexer.commenters = ""
    lexer.whitespace_split = True
    call: list[str] | None = None
    for word in [*lexer, ";"]:
        if call is not None and set(word) <= ENDS:
            yield call
            call = None
        elif call is not None:
            call.append(word)
        elif word == "gcloud":
            call = []


CALLS: Final = [call for block in BLOCKS for line in _lines(block) for call in _gcloud_calls(line)]


def _wrong(call: list[str]) -> list[str]:
    """The words of a call that gcloud does not know."""
    known: Any = commands()
    everywhere, words = set(known["flags"]), list(call)
    while words and words[0] in known["commands"]:
        known = known["commands"][words.pop(0)]
    if known["commands"]:
        return words[:1]
    flags = [word for word in words if word.startswith("--")]
    return [flag for flag in flags if not _is_known(flag, known["flags"], everywhere)]


def _is_known(flag: str, own: dict[str, Any], everywhere: set[str]) -> bool:
    name, has_value, _ = flag.partition("=")
    if name.startswith("--no-") and not has_value:
        return own.get(f"--{name.removeprefix('--no-')}") == "bool"
    if name in everywhere:
        return True
    return name in own and (own[name] == "bool") != bool(has_value)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_gcloud_has_each_command_with_its_flags(call: list[str]) -> None:
    assert _wrong(call) == []


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
    [call] = _gcloud_calls(line)
    assert _wrong(call) == wrong


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

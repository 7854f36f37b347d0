"""What an installed gcloud knows: its commands with their flags, and the documents that it takes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

_TREE: Final = "data/cli/gcloud_completions.py"
_PRINT_TREE: Final = (
    "import json, runpy, sys; print(json.dumps(runpy.run_path(sys.argv[1])['STATIC_COMPLETION_CLI_TREE']))"
)
_CHECK: Final = """
import json, sys
sys.path[:0] = [f"{sys.argv[1]}/lib", f"{sys.argv[1]}/lib/third_party"]
from googlecloudsdk.api_lib.util import apis, messages
for kind, document in json.load(sys.stdin):
    api, version = ("compute", "v1") if kind == "UrlMap" else ("run", "v1")
    messages.DictToMessageWithErrorCheck(document, getattr(apis.GetMessagesModule(api, version), kind))
"""
_ADJUST: Final = """
import json, sys
sys.path[:0] = [f"{sys.argv[1]}/lib", f"{sys.argv[1]}/lib/third_party"]
from googlecloudsdk.api_lib.run import service
from googlecloudsdk.api_lib.util import apis, messages
from googlecloudsdk.command_lib.run.config_changes import TrafficChanges
module = apis.GetMessagesModule("run", "v1")
document, changes = json.load(sys.stdin)
one = service.Service(messages.DictToMessageWithErrorCheck(document, module.Service), module)
for change in changes:
    one = TrafficChanges(**change).Adjust(one)
    print(json.dumps([[each.revisionName or "LATEST", each.percent or 0, each.tag] for each in one.spec.traffic]))
"""
_PRINT: Final = """
import json, sys
sys.path[:0] = [f"{sys.argv[1]}/lib", f"{sys.argv[1]}/lib/third_party"]
from googlecloudsdk.core.resource import resource_filter, resource_printer
documents, format_, filter_ = json.load(sys.stdin)
let_through = resource_filter.Compile(filter_).Evaluate if filter_ else bool
resource_printer.Print([one for one in documents if let_through(one)], format_, out=sys.stdout)
"""
_ENDS: Final = set("();|&<>")


def sdk() -> Path:
    """Where it is. Skips the test where there is none."""
    found = shutil.which("gcloud")
    folder = Path(found).resolve().parents[1] if found else None
    if folder is None or not (folder / _TREE).exists():
        pytest.skip("no gcloud is installed, by whose own description its commands are checked")
    return folder


@cache
def commands() -> Any:
    """A tree of groups and commands, each with its `flags`."""
    told = subprocess.run(
        [sys.executable, "-c", _PRINT_TREE, str(sdk() / _TREE)], capture_output=True, check=True, text=True
    )
    return json.loads(told.stdout)


def _ask(program: str, given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, str(sdk())],
        input=json.dumps(given),
        capture_output=True,
        check=False,
        text=True,
    )


def refusal(kind: str, document: Any) -> str:
    """What gcloud's own messages have against a document; empty when they take it."""
    read = _ask(_CHECK, [(kind, document)])
    return read.stderr.strip().splitlines()[-1] if read.returncode else ""


def traffic_after(service: Any, calls: Sequence[Sequence[str]]) -> list[list[tuple[str, int, str | None]]]:
    """The revisions of a service with their share and tag, after each of these `update-traffic`, as gcloud reckons."""
    changes = []
    for call in calls:
        flags = dict(word.split("=", 1) for word in call if word.startswith("--"))
        change: dict[str, Any] = {"new_percentages": {}}
        if to := flags.get("--to-tags"):
            change["by_tag"] = True
            change["new_percentages"] = {one.split("=")[0]: int(one.split("=")[1]) for one in to.split(",")}
        if tags := flags.get("--update-tags"):
            change["tags_to_update"] = dict(one.split("=") for one in tags.split(","))
        if tags := flags.get("--remove-tags"):
            change["tags_to_remove"] = tags.split(",")
        changes.append(change)
    reckoned = _ask(_ADJUST, [service, changes])
    assert reckoned.returncode == 0, reckoned.stderr
    return [[(name, share, tag) for name, share, tag in json.loads(line)] for line in reckoned.stdout.splitlines()]


def printed(call: Sequence[str], documents: Any) -> str:
    """What a call with `--format`, and perhaps `--filter`, shows of what it was answered."""
    flags = dict(word.split("=", 1) for word in call if word.startswith("--") and "=" in word)
    shown = _ask(_PRINT, [documents, flags["--format"], flags.get("--filter", "")])
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def calls_in(text: str) -> Iterator[list[str]]:
    """The words of each call of gcloud in the `sh` blocks of a page."""
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in re.sub(r"(\\|\|)\n\s*", lambda end: end[1].strip("\\") + " ", block).splitlines():
            yield from calls_in_line(line)


def calls_in_line(line: str) -> Iterator[list[str]]:
    """... wherever in the line it stands."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="".join(_ENDS))
    lexer.commenters = ""
    lexer.whitespace_split = True
    call: list[str] | None = None
    for word in [*lexer, ";"]:
        if call is not None and set(word) <= _ENDS:
            yield call
            call = None
        elif call is not None:
            call.append(word)
        elif word == "gcloud":
            call = []


def unknown(call: Sequence[str]) -> list[str]:
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

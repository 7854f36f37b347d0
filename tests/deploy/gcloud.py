"""What an installed gcloud knows: its commands with their flags, and the documents that it takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
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


def refusal(kind: str, document: Any) -> str:
    """What gcloud's own messages have against a document; empty when they take it."""
    read = subprocess.run(
        [sys.executable, "-c", _CHECK, str(sdk())],
        input=json.dumps([(kind, document)]),
        capture_output=True,
        check=False,
        text=True,
    )
    return read.stderr.strip().splitlines()[-1] if read.returncode else ""

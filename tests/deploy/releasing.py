"""A folder in which a release is run: its gcloud only writes down what it is asked to do, or fails where it is told."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.architecture.tools import ROOT
from tests.deploy.cloudrun import PLACEHOLDERS

SCRIPT: Final = ROOT / "deploy/cloudrun/release.sh"
WORKER: Final = "ecshop-worker-00003-abc"
WRITES_DOWN: Final = """#!/bin/sh
printf '%s\\037' "${0##*/}" "$@" >>"$BOOK/calls"
echo >>"$BOOK/calls"
number=$(wc -l <"$BOOK/calls")
case "${0##*/} $*" in *' replace -' | 'dev smoke '*) cat >"$BOOK/given.$number" ;; esac
[ "$number" != "${ENDED_AT:-}" ] || kill -TERM "$PPID"
case " ${FAILS_AT:-} " in *" $number "*) exit 1 ;; esac
case "$*" in
    "${EMPTY:-nothing}"*) ;;
    *'percent>0'*) echo "['$4-00007-abc'${BETWEEN:-}]" ;;
    *'tag:canary'*) [ -n "${NO_CANARY:-}" ] || echo "['https://canary---$4-4711.run.app']" ;;
    *'tag:previous'*) echo "['$4-00007-abc']" ;;
    *'spec.containers[0].image'*) echo registry/ecshop@sha256:former ;;
    *'worker-pools revisions list'*) printf 'ecshop-worker-00003-abc\\necshop-worker-00001-abc\\n' ;;
    'secrets versions access '*) echo 'a long password' ;;
esac
"""


class Book:
    """What a step asked for, in its order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shop = folder / "shop"
        shutil.copytree(SCRIPT.parent, shop / "deploy/cloudrun", ignore=shutil.ignore_patterns("terraform"))
        shutil.copy(ROOT / "pyproject.toml", shop)
        for program in (folder / "bin/gcloud", shop / "dev", shop / ".venv/bin/ecshop"):
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(WRITES_DOWN)
            program.chmod(0o755)

    def __call__(self, *arguments: str, **told: str) -> subprocess.CompletedProcess[str]:
        for old in self.folder.glob("book/*"):
            old.unlink()
        (self.folder / "book").mkdir(exist_ok=True)
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        environment = {"PATH": path, "BOOK": str(self.folder / "book"), "DOMAIN": "shop.example", **PLACEHOLDERS}
        return subprocess.run(
            [self.folder / "shop/deploy/cloudrun/release.sh", *arguments],
            env=environment | told,
            capture_output=True,
            check=False,
            text=True,
        )

    @property
    def calls(self) -> list[list[str]]:
        book = self.folder / "book/calls"
        return [line.split("\037")[:-1] for line in book.read_text().splitlines()] if book.exists() else []

    @property
    def asked(self) -> list[str]:
        return [" ".join(call) for call in self.calls]

    def documents(self, call: str) -> list[Any]:
        numbers = [number for number, asked in enumerate(self.asked, 1) if asked == call]
        return [yaml.safe_load((self.folder / f"book/given.{number}").read_text()) for number in numbers]

"""What the document of the API promises, held against what the shop answers: by schemathesis, for each role."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

from bench.progress import say
from bench.server import UNBOUNDED, Server, running
from bench.trust.report import Finding, at_least
from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role
from entrypoints.contexts import NAMES

_VERSION: Final = "schemathesis==4.32.5"
"""In an environment of its own: it brings forty packages that the shop has no use for."""
_CHECKS: Final = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,unsupported_method,allow_header_conformance,use_after_free"
)
_CASES: Final = re.compile(r"(\d+) generated(?:, (\d+) found)?")


def measure(folder: Path, seconds: int, least: int, seed: int) -> Iterator[Finding]:
    """At least so many cases for each role, in so many seconds each."""
    tool = _installed(folder)
    settings = {**UNBOUNDED, "ECSHOP_LOG": "json", "ECSHOP_FREE_GUESSES": "1000000"}
    with running(folder / "shop", "ecshop", "up", "--port", "0", contexts=NAMES, **settings) as server:
        server.seed(5, 1_000_000)
        for role in (None, *Role):
            say(f"the API as {role or 'nobody'}, for {seconds} s")
            yield from _run(tool, server, role, seconds, least, seed)


def _run(tool: Path, server: Server, role: Role | None, seconds: int, least: int, seed: int) -> Iterator[Finding]:
    options = ["--checks", _CHECKS, "--max-time", str(seconds), "--seed", str(seed), "--no-color"]
    if role is not None:
        token = signing_key_in(server.folder).token_for_user(uuid4(), role, 3600)
        options += ["--header", f"Authorization: Bearer {token}"]
    document = f"{server.url('product')}/docs/openapi.json"
    done = subprocess.run(
        [tool, "run", document, *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=tool.parent,
        env={**os.environ, "COLUMNS": "120"},
    )
    found = _CASES.search(done.stdout)
    cases, failures = (int(found[1]), int(found[2] or 0)) if found else (0, 1)
    who = str(role or "nobody")
    yield at_least(f"cases as {who}", cases, least)
    yield Finding(f"of them answered 5xx, or otherwise than documented, as {who}", str(failures), "0", not failures)
    if failures:
        print(done.stdout, flush=True)


def _installed(folder: Path) -> Path:
    place = folder / "schemathesis"
    say(f"{_VERSION} being installed")
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    subprocess.run([place / "bin" / "pip", "install", "--quiet", _VERSION], check=True, stderr=subprocess.DEVNULL)
    return place / "bin" / "schemathesis"

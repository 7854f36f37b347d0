"""The steps of the Dockerfile, really run on a small Debian, and the shop in what comes of them: takes a minute or two.

Collected where there is a buildah; it asks for root and debootstrap, too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from bench import patient
from bench.patient import START
from entrypoints.local.ports import free_port
from tests.architecture.tools import ROOT
from tests.waiting import eventually

CERTIFICATES: Final = "/etc/ssl/certs"
BASE: Final = ("python3", "python3-venv", "ca-certificates")
CHROOT: Final = ("--isolation", "chroot")


class Buildah:
    def __init__(self, folder: Path) -> None:
        self._command = ("buildah", "--storage-driver", "vfs", f"--root={folder}/images", f"--runroot={folder}/run")

    def __call__(self, *arguments: str, given: str = "") -> str:
        done = subprocess.run([*self._command, *arguments], capture_output=True, check=False, text=True, input=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen([*self._command, *arguments], stdout=output, stderr=output)


@pytest.fixture
def buildah(tmp_path: Path) -> Iterator[Buildah]:
    if os.geteuid() != 0:
        pytest.skip("only root may make a Debian")
    yield Buildah(tmp_path)
    shutil.rmtree(tmp_path)


@pytest.fixture
def container(buildah: Buildah, tmp_path: Path) -> str:
    """Of the image that the Dockerfile makes."""
    made = ["debootstrap", "--variant=minbase", f"--include={','.join(BASE)}", "bookworm", str(tmp_path / "debian")]
    subprocess.run(made, capture_output=True, check=True)
    base = buildah("from", "scratch")
    buildah("add", base, str(tmp_path / "debian"), "/")
    buildah("commit", "--format", "docker", base, "localhost/base")
    into = ("--format", "docker", "--build-arg", "BASE=localhost/base", "--tag", "localhost/ecshop")
    trusting = ("--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro", f"--env=PIP_CERT={CERTIFICATES}/ca-certificates.crt")
    buildah("bud", *CHROOT, *into, *trusting, str(ROOT))
    return buildah("from", "--pull-never", "localhost/ecshop")


def test_the_image_has_a_shop_that_can_be_walked_through(buildah: Buildah, container: str, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "up.log"
    here = (*CHROOT, f"--env=PORT={port}", container, "--")
    assert re.search("uid=10001", buildah("run", *here, "id"))
    running = buildah.start("run", *here, "ecshop", "up", log=log)
    try:
        eventually(lambda: _is_ready(port), True, seconds=START)
        walked = buildah("run", *here, "ecshop", "smoke", f"http://127.0.0.1:{port}")
        assert {line.split()[0] for line in walked.splitlines()} == {"ok"}
        [check] = re.findall(r"^ +CMD \[\"python3\", \"-c\", (\".*\")\]$", (ROOT / "Dockerfile").read_text(), re.M)
        buildah("run", *here, "python3", "-c", check.strip('"').replace('\\"', '"'))
    finally:
        running.terminate()
        running.wait()


def _is_ready(port: int) -> bool:
    try:
        return patient.get(f"http://127.0.0.1:{port}/health/ready").is_success
    except httpx.TransportError:
        return False

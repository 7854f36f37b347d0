"""What `./dev` makes for a release: the wheel, the image, the SBOM; and the audit of what is locked."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.tools import ROOT, copy_house

LOCKS: Final = ("requirements.txt", "deploy/requirements.txt")
PINNED: Final = re.compile(r"^([\w.-]+)==([\w.]+)", re.M)
SAYS: Final = """#!/bin/sh
case "$1" in
    info) exit {info} ;;
    image) echo registry/ecshop@sha256:4711 ;;
    *) echo {name} "$@" ;;
esac
"""


class House:
    """A copy, whose environment is the one that the tests run in."""

    def __init__(self, folder: Path) -> None:
        self.folder = copy_house(folder)
        (folder / "deploy").mkdir()
        for name in ("dev", "README.md", "LICENSE", *LOCKS):
            shutil.copy(ROOT / name, folder / name)
        (folder / ".venv").mkdir()
        shutil.copy(Path(sys.prefix, "pyvenv.cfg"), folder / ".venv")
        (folder / ".venv/lib").symlink_to(Path(sys.prefix, "lib"))
        self.tools = folder / ".venv/bin"
        self.tools.mkdir()
        for tool in Path(sys.prefix, "bin").iterdir():
            (self.tools / tool.name).symlink_to(tool)
        installed = (folder / "requirements.txt").read_text() + (folder / "pyproject.toml").read_text()
        (folder / ".venv/installed.txt").write_text(installed)
        self.path = folder / "path"
        self.path.mkdir()
        for name in ("sh", "dirname", "cat", "cmp", "date", "mkdir", "rm"):
            (self.path / name).symlink_to(str(shutil.which(name)))

    def has(self, engine: str, *, works: bool = True) -> None:
        (self.path / engine).write_text(SAYS.format(name=engine, info=0 if works else 1))
        (self.path / engine).chmod(0o755)

    def dev(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "dev", *arguments],
            env={"PATH": str(self.path), "HOME": os.environ.get("HOME", "/"), "SOURCE_DATE_EPOCH": "1700000000"},
            capture_output=True,
            check=False,
            text=True,
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_wheel_has_all_of_the_shop_and_nothing_that_was_deleted(house: House) -> None:
    deleted = house.folder / "build/lib/ecshop/deleted.py"
    deleted.parent.mkdir(parents=True)
    deleted.touch()
    done = house.dev("wheel")
    assert (done.returncode, done.stderr) == (0, "")
    [wheel] = house.folder.glob("dist/*.whl")
    assert done.stdout.splitlines()[-1] == f"dist/{wheel.name}"
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {str(file.relative_to(ROOT)) for part in ("ecshop", "entrypoints") for file in (ROOT / part).rglob("*.py")}
    assert {name for name in packed if name.endswith(".py")} == files
    assert "entrypoints/nginx.conf" in packed


def test_the_same_commit_makes_the_same_wheel(house: House) -> None:
    wheels = []
    for time in (1_800_000_000, 1_900_000_000):
        os.utime(house.folder / "ecshop/__init__.py", (time, time))
        assert house.dev("wheel").returncode == 0
        wheels.append(next(house.folder.glob("dist/*.whl")).read_bytes())
    assert wheels[0] == wheels[1]


@pytest.mark.parametrize(
    ("engines", "build"),
    [
        ({"docker": True, "podman": True}, "docker build --tag ecshop:7 ."),
        ({"docker": False, "podman": True}, "podman build --format docker --tag ecshop:7 ."),
        ({"buildah": True}, "buildah build --format docker --tag ecshop:7 ."),
    ],
    ids=str,
)
def test_the_first_engine_that_works_builds_the_image(house: House, engines: dict[str, bool], build: str) -> None:
    for engine, works in engines.items():
        house.has(engine, works=works)
    assert house.dev("image", "ecshop:7").stdout.strip() == build


@pytest.mark.parametrize("command", ["image", "push"])
def test_without_an_engine_it_says_what_to_do(house: House, command: str) -> None:
    house.has("docker", works=False)
    done = house.dev(command, "ecshop:7")
    assert (done.returncode, done.stdout) == (1, "")
    assert "apt install podman" in done.stderr


def test_a_pushed_image_is_known_by_its_digest(house: House) -> None:
    house.has("docker")
    assert house.dev("push", "registry/ecshop:7").stdout.splitlines()[0] == "docker push registry/ecshop:7"
    assert (house.folder / "dist/image").read_text() == "registry/ecshop@sha256:4711\n"


def test_the_sbom_has_what_the_image_installs_and_is_the_same_each_time(house: House) -> None:
    sbom = house.folder / "dist/ecshop.cdx.json"
    texts = []
    for _ in range(2):
        done = house.dev("sbom")
        assert (done.returncode, done.stderr) == (0, "")
        texts.append(sbom.read_text())
    assert texts[0] == texts[1]
    told = json.loads(texts[0])
    assert told["bomFormat"] == "CycloneDX"
    assert told["metadata"]["component"]["name"] == "ecshop"
    listed = {(one["name"], one["version"]) for one in told["components"]}
    assert listed == set(PINNED.findall((ROOT / "deploy/requirements.txt").read_text()))


def test_the_audit_reads_every_lock_and_takes_no_package_without_a_hash(house: House) -> None:
    auditor = house.tools / "pip-audit"
    real = auditor.resolve()
    auditor.unlink()
    auditor.write_text(f'#!/bin/sh\nexec "{real}" --dry-run "$@"\n')  # all but the questions to PyPI
    auditor.chmod(0o755)
    done = house.dev("audit")
    assert done.returncode == 0, done.stderr
    assert re.search(r"would have audited \d+ packages", done.stderr)
    (house.folder / LOCKS[1]).write_text("litestar==2.25.0\n")
    assert house.dev("audit").returncode != 0
    assert set(LOCKS) <= set((ROOT / "dev").read_text().split())

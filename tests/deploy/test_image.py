"""The image: its Dockerfile, and what is in it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from ecshop.kernel.http.health import live
from entrypoints.cli import main as cli
from entrypoints.environment import read_settings, variables
from tests.architecture.tools import ROOT

DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
PINNED: Final = re.compile(r"^([\w.-]+)==(\S+)", re.M)


def _instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", re.sub(r"\\\n *", "", DOCKERFILE), re.M)


def test_hadolint_has_nothing_against_it() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")  # of the wheel
    told = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, check=False, text=True)
    assert (told.stdout, told.stderr, told.returncode) == ("", "", 0)


def test_it_installs_what_the_lock_has_and_none_of_the_tools() -> None:
    all_ = dict(PINNED.findall((ROOT / "requirements.txt").read_text()))
    needed = dict(PINNED.findall((ROOT / "deploy" / "requirements.txt").read_text()))
    assert needed.items() <= all_.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked_for = [*project["dependencies"], *(one for some in project["optional-dependencies"].values() for one in some)]
    assert {re.split(r"[=\[]", one)[0] for one in asked_for} <= needed.keys()
    assert needed.keys() & {"pytest", "mypy", "ruff", "setuptools"} == set()


def test_whoever_runs_it_is_not_root_and_may_write_to_its_data_alone() -> None:
    [user] = _instructions("USER")
    [volume] = _instructions("VOLUME")
    [made] = [line for line in _instructions("RUN") if "install --directory" in line]
    assert int(user.split(":")[0]) >= 10_000
    assert made.split()[-1] == volume
    assert f"--owner {user.split(':')[0]}" in made


def test_its_variables_are_settings_and_its_roles_are_commands() -> None:
    told = {name: value for line in _instructions("ENV") for name, value in re.findall(r"(\w+)=(\S+)", line)}
    own = {name: value for name, value in told.items() if name.startswith("ECSHOP_")}
    assert own.keys() <= set(variables())
    settings = read_settings(own)
    assert (settings.host, settings.data_dir) == ("0.0.0.0", _instructions("VOLUME")[0])
    assert _instructions("ENTRYPOINT") == ['["ecshop"]']
    [command] = _instructions("CMD")
    assert command.strip('["]') in cli.commands
    roles = re.findall(r"[\w ]+", DOCKERFILE.splitlines()[0].split("role:")[1])
    assert {role.split()[0] for role in roles if role.strip()} <= cli.commands.keys()


def test_a_server_in_it_is_asked_whether_it_is_alive() -> None:
    [path] = live.paths
    [check] = _instructions("HEALTHCHECK")
    assert f"{path}'" in check
    assert 'p("ECSHOP_PORT") or p("PORT") or 8000' in check.replace("\\", "")


def test_all_that_is_copied_is_let_in_and_nothing_else() -> None:
    told = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in told if line.startswith("!")}
    copied = {source for line in _instructions("COPY") if not line.startswith("--from") for source in line.split()[:-1]}
    assert told[0] == "*"
    assert let_in == copied
    assert all((ROOT / one).exists() for one in copied)

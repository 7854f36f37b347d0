"""The commands as their users type them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from bench import patient
from bench.patient import START
from ecshop import __version__
from entrypoints.contexts import NAMES
from entrypoints.local.ports import free_port
from tests.shops import RunningShop, shop_apart, shop_together
from tests.waiting import eventually

PASSWORD = "correct horse battery"
Shape = Callable[[Path], AbstractContextManager[RunningShop]]


def ecshop(*arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecshop", *arguments],
        input=given,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_version_is_told() -> None:
    assert __version__ in ecshop("--version").stdout


def test_a_user_added_beside_the_running_shop_logs_in_with_that_role(together: RunningShop) -> None:
    name = f"staff-{uuid4()}"
    added = ecshop("user", "add", name, "--role", "staff", "--data-dir", str(together.folder), given=f"{PASSWORD}\n")
    assert (added.returncode, added.stdout) == (0, f"{name} is staff now\n")
    login = together.call("POST", "/auth/login", data={"username": name, "password": PASSWORD}).json()
    assert together.call("GET", "/auth/me", login["access_token"]).json()["role"] == "staff"


def test_a_user_is_added_to_a_shop_that_never_ran(tmp_path: Path) -> None:
    added = ecshop("user", "add", "aoi", "--data-dir", str(tmp_path), given=f"{PASSWORD}\n")
    assert (added.returncode, added.stdout) == (0, "aoi is customer now\n")
    again = ecshop("user", "add", "AOI", "--data-dir", str(tmp_path), given=f"{PASSWORD}\n")
    assert (again.returncode, again.stderr) == (1, "ecshop: the user name AOI is taken\n")


def test_a_user_needs_a_password(tmp_path: Path) -> None:
    refused = ecshop("user", "add", "aoi", "--data-dir", str(tmp_path), given="short\n")
    assert refused.returncode == 1
    assert "password" in refused.stderr


def test_a_token_made_with_the_local_key_is_good(together: RunningShop) -> None:
    token = ecshop("token", "staff", "--data-dir", str(together.folder)).stdout.strip()
    assert together.call("POST", "/categories", token, json={"name": f"Tea {uuid4()}"}).status_code == 201


def test_a_token_needs_a_shop(tmp_path: Path) -> None:
    refused = ecshop("token", "staff", "--data-dir", str(tmp_path / "typo"))
    assert refused.returncode == 1
    assert "no signing key" in refused.stderr
    assert not (tmp_path / "typo").exists()


def test_migrating_tells_of_each_database(tmp_path: Path) -> None:
    first, second = (ecshop("migrate", "--data-dir", str(tmp_path)) for _ in range(2))
    assert first.stdout.split("\n")[:4] == [f"{name}: migrated" for name in NAMES]
    assert second.stdout.count("up to date") == len(NAMES)


def test_a_second_shop_in_the_same_folder_is_refused_and_told_why(together: RunningShop) -> None:
    refused = ecshop("up", "--port", "0", "--data-dir", str(together.folder))
    assert refused.returncode == 1
    assert f"in use by the server with process id {together.server.process.pid}" in refused.stderr


def test_a_port_in_use_is_told_with_what_to_do(together: RunningShop, tmp_path: Path) -> None:
    refused = ecshop("up", "--port", str(together.server.ports["auth"]), "--data-dir", str(tmp_path))
    assert refused.returncode == 1
    assert "choose another with --port" in refused.stderr


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ECSHOP_PROT", "8000", "unknown variable ECSHOP_PROT; known are: ECSHOP_PROFILE, ECSHOP_HOST, ECSHOP_PORT"),
        ("ECSHOP_PORT", "eighty", "ECSHOP_PORT is 'eighty'"),
        ("ECSHOP_SYNCHRONOUS", "OFF", "ECSHOP_SYNCHRONOUS is 'OFF'"),
        ("ECSHOP_RESERVATION_SECONDS", "-1", "ECSHOP_RESERVATION_SECONDS is '-1'"),
        ("ECSHOP_DATABASE_URL", "sqlite:////tmp/one.db", "needs {context} in it"),
    ],
)
def test_a_bad_setting_is_named_and_refused_at_the_start(variable: str, value: str, told: str, tmp_path: Path) -> None:
    refused = ecshop("up", "--data-dir", str(tmp_path / "data"), **{variable: value})
    assert refused.returncode == 1
    assert told in refused.stderr
    assert not (tmp_path / "data").exists()


def test_a_service_of_its_own_says_what_it_misses(tmp_path: Path) -> None:
    port = str(free_port())
    refused = ecshop("serve", "stock", "--port", port, "--data-dir", str(tmp_path))
    assert "set REDIS_URL" in refused.stderr
    refused = ecshop("serve", "order", "--port", port, "--data-dir", str(tmp_path), REDIS_URL="redis://127.0.0.1:1/0")
    assert "set ECSHOP_CLIENT_SECRET" in refused.stderr


@pytest.mark.parametrize("shape", [shop_together, shop_apart])
def test_the_data_of_a_shop_is_for_its_owner_only(tmp_path: Path, shape: Shape) -> None:
    before = os.umask(0o022)
    try:
        with shape(tmp_path / "data") as shop:
            shop.order(shop.new_product(stock=1), 1).raise_for_status()
            assert open_to_others(shop.folder) == []
        assert not list(shop.folder.glob("*-wal"))
    finally:
        os.umask(before)


def test_files_that_others_could_read_are_closed_at_the_start(tmp_path: Path) -> None:
    with shop_together(tmp_path / "data") as shop:
        pass
    for file in shop.folder.glob("*.db"):
        file.chmod(0o644)
    with shop_together(tmp_path / "data") as shop:
        assert open_to_others(shop.folder) == []


def test_a_signing_key_that_others_could_read_is_refused(tmp_path: Path) -> None:
    with shop_together(tmp_path / "data") as shop:
        key = shop.folder / "signing-key.pem"
    key.chmod(0o640)
    for command in (("up", "--port", "0"), ("token", "staff")):
        refused = ecshop(*command, "--data-dir", str(shop.folder))
        assert refused.returncode == 1
        assert f"{key} can be read by others" in refused.stderr
    assert ecshop("keys", "revoke", "--data-dir", str(shop.folder)).returncode == 0
    assert ecshop("token", "staff", "--data-dir", str(shop.folder)).returncode == 0


def open_to_others(folder: Path) -> list[str]:
    """But for what the test itself has made there."""
    files = [file for file in folder.rglob("*") if file.name != "output.log"]
    return [str(file) for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077]


def test_any_asgi_server_serves_the_shop(tmp_path: Path) -> None:
    port = str(free_port())
    command = [sys.executable, "-m", "uvicorn", "entrypoints.asgi:app", "--port", port, "--log-level", "warning"]
    environment = {**os.environ, "ECSHOP_DATA_DIR": str(tmp_path)}
    with (tmp_path / "output.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: _answer(f"http://127.0.0.1:{port}/health/ready").get("status"), "ready", seconds=START)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answer(url: str) -> dict[str, object]:
    try:
        found: dict[str, object] = patient.get(url).json()
    except httpx.TransportError:
        return {}
    return found

"""Data that cannot be used is said in one line that names it and what to do: never a traceback, never silence."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.server import ports_in_a_row
from tests.flows.unusable import UP, assert_one_line, ecshop


def is_a_file(folder: Path) -> None:
    folder.write_text("not a folder")


def has_garbage_for_a_database(folder: Path) -> None:
    folder.mkdir()
    (folder / "stock.db").write_text("this is no database, and long enough to be told from one" * 20)


def has_a_folder_for_a_database(folder: Path) -> None:
    (folder / "order.db").mkdir(parents=True)


def has_a_folder_for_a_lock(folder: Path) -> None:
    (folder / "auth.db.lock").mkdir(parents=True)


def was_made_by_a_newer_version(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "product.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('product_9999')")
        database.commit()


def has_an_empty_key(folder: Path) -> None:
    folder.mkdir()
    (folder / "signing-key.pem").write_bytes(b"")


def has_garbage_for_a_key(folder: Path) -> None:
    folder.mkdir()
    (folder / "signing-key.pem").write_text("-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----\n")


def has_a_key_of_another_kind(folder: Path) -> None:
    folder.mkdir()
    key = generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "signing-key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def has_a_folder_for_a_key(folder: Path) -> None:
    (folder / "signing-key.pem").mkdir(parents=True)


def has_tables_of_nobody(folder: Path) -> None:
    folder.mkdir()
    for name in ("stock", "order", "product"):
        with closing(sqlite3.connect(folder / f"{name}.db")) as database:
            database.execute("CREATE TABLE tea (id INTEGER)")
            database.commit()


FOLDERS: dict[Callable[[Path], None], tuple[str, ...]] = {
    is_a_file: ("--data-dir",),
    has_garbage_for_a_database: ("stock.db", "not a database"),
    has_a_folder_for_a_database: ("order.db",),
    has_a_folder_for_a_lock: ("auth.db.lock", "--data-dir"),
    was_made_by_a_newer_version: ("product.db", "product_9999", "newer"),
    has_an_empty_key: ("signing-key.pem", "move it away"),
    has_garbage_for_a_key: ("signing-key.pem", "move it away"),
    has_a_key_of_another_kind: ("signing-key.pem", "Ed25519", "move it away"),
    has_a_folder_for_a_key: ("signing-key.pem", "--data-dir"),
}


@pytest.mark.parametrize("spoil", FOLDERS, ids=lambda spoil: spoil.__name__)
def test_a_data_folder_that_cannot_be_used(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "data")
    assert_one_line(ecshop(*UP, folder=tmp_path / "data"), *FOLDERS[spoil])


def test_a_data_folder_where_nothing_can_be_made() -> None:
    assert_one_line(ecshop(*UP, folder=Path("/proc/nothing/here")), "/proc/nothing", "--data-dir")


def test_a_database_that_another_program_holds_locked(tmp_path: Path) -> None:
    ecshop("migrate", folder=tmp_path)
    with closing(sqlite3.connect(tmp_path / "stock.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = ecshop(*UP, folder=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.startswith(f"ecshop: the database {tmp_path / 'stock.db'} does not answer: does another program")


@pytest.mark.parametrize("spoil", [has_an_empty_key, has_a_key_of_another_kind, has_a_folder_for_a_key])
def test_a_key_that_cannot_be_used_makes_no_token_either(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "data")
    assert_one_line(ecshop("token", "staff", folder=tmp_path / "data"), "signing-key.pem")


COMMANDS = {
    "dlq list": ("dlq", "list"),
    "dlq replay": ("dlq", "replay", "stock", "1"),
    "token": ("token", "staff"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_in_which_no_shop_has_run(tmp_path: Path, command: str) -> None:
    assert_one_line(ecshop(*COMMANDS[command], folder=tmp_path / "data"), "start the shop first", "--data-dir")
    assert not (tmp_path / "data").exists()


def test_a_folder_that_redis_cannot_have(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "redis").write_text("a file")
    done = ecshop("up", "--split", "--base-port", str(ports_in_a_row()), folder=tmp_path / "data")
    assert_one_line(done, str(tmp_path / "data" / "redis"), "--data-dir")


@pytest.mark.parametrize("spoil", [has_garbage_for_a_database, has_a_folder_for_a_database, has_tables_of_nobody])
def test_a_database_that_commands_beside_the_shop_cannot_use(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    ecshop("migrate", folder=tmp_path / "data")
    for file in (tmp_path / "data").iterdir():
        if file.name.startswith(("stock", "order", "product")):
            file.unlink()
    (tmp_path / "data").rename(tmp_path / "kept")
    spoil(tmp_path / "data")
    for file in (tmp_path / "kept").iterdir():
        file.rename(tmp_path / "data" / file.name)
    for command in (("dlq", "list"), ("dlq", "discard", "stock", "1"), ("dlq", "discard", "order", "1")):
        done = ecshop(*command, folder=tmp_path / "data")
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.returncode == 1


@pytest.mark.parametrize("password", [b"null\0inside\n", b"\xff\xfe\xfd not UTF-8\n", b"short\n", b"\n", b""])
def test_a_password_that_no_request_could_bring_is_refused(tmp_path: Path, password: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ecshop", "user", "add", "aoi"],
        env=os.environ | {"ECSHOP_DATA_DIR": str(tmp_path / "data")},
        input=password,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"ecshop: password must ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()

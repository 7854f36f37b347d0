"""What cannot be used is said in one line that names it and what to do: never a traceback, never silence."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from entrypoints.compose import compose
from entrypoints.settings import Settings
from tests.shops import four_free_ports

UP = ("up", "--port", "0")
SERVE = ("serve", "auth", "--port", "0")


def ecshop(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("ECSHOP_", "REDIS_", "PORT"))}
    return subprocess.run(
        [sys.executable, "-m", "ecshop", *command],
        env=known | {"ECSHOP_DATA_DIR": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("ecshop: ")
    for word in words:
        assert word in lines[0], lines[0]


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


SETTINGS: dict[str, tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]] = {
    "a port that is text": (("up",), {"ECSHOP_PORT": "soon"}, ("ECSHOP_PORT", "whole number from 0 to 65535")),
    "a log format that is none": (UP, {"ECSHOP_LOG": "loud"}, ("ECSHOP_LOG", "auto, console, json")),
    "a variable that is none": (UP, {"ECSHOP_PROT": "1"}, ("ECSHOP_PROT", "known are")),
    "a Redis that is none": (SERVE, {"REDIS_URL": "localhost:6379"}, ("REDIS_URL", "redis://")),
    "a Redis by another scheme": (SERVE, {"REDIS_URL": "http://localhost"}, ("REDIS_URL", "redis://")),
    "a Redis on no port": (SERVE, {"REDIS_URL": "redis://localhost:port/0"}, ("REDIS_URL", "redis://")),
    "no Redis at all": (SERVE, {}, ("REDIS_URL", "redis://")),
    "secrets without a colon": (UP, {"ECSHOP_CLIENT_SECRETS": "order"}, ("ECSHOP_CLIENT_SECRETS", "service:secret")),
    "secrets without a secret": (UP, {"ECSHOP_CLIENT_SECRETS": "order:"}, ("ECSHOP_CLIENT_SECRETS", "service:secret")),
    "secrets of nobody": (UP, {"ECSHOP_CLIENT_SECRETS": "oder:s3cret"}, ("ECSHOP_CLIENT_SECRETS", "auth, product")),
    "no secret of one's own": (
        ("serve", "order", "--port", "0"),
        {"REDIS_URL": "redis://localhost:1/0"},
        ("ECSHOP_CLIENT_SECRET",),
    ),
    "a neighbour without a scheme": (UP, {"ECSHOP_AUTH_URL": "auth:8000"}, ("ECSHOP_AUTH_URL", "http://")),
    "one database for all": (UP, {"ECSHOP_DATABASE_URL": "postgresql+psycopg://h/shop"}, ("{context}",)),
    "a database that is none": (
        UP,
        {"ECSHOP_DATABASE_URL": "{context}"},
        ("ECSHOP_DATABASE_URL", "postgresql+psycopg"),
    ),
    "a database of an unknown make": (
        UP,
        {"ECSHOP_DATABASE_URL": "oracle2://h/{context}"},
        ("ECSHOP_DATABASE_URL", "postgresql+psycopg"),
    ),
    "a database server that is away": (
        UP,
        {"ECSHOP_DATABASE_URL": "postgresql+psycopg://u:hidden@127.0.0.1:1/ecshop_{context}"},
        ("127.0.0.1", "ecshop_auth"),
    ),
    "a host that is none": (("up", "--port", "0", "--host", "no.such.host.invalid"), {}, ("no.such.host", "--host")),
    "a host of another machine": (("up", "--port", "0", "--host", "192.0.2.1"), {}, ("192.0.2.1", "--host")),
    "--base-port without --split": (("up", "--base-port", "9000"), {}, ("--base-port", "--split")),
    "--port with --split": (("up", "--split", "--port", "9000"), {}, ("--port", "--base-port")),
    "ports past the last one": (("up", "--split", "--base-port", "65533"), {}, ("--base-port", "4 ports")),
    "a worker on files": (("worker",), {}, ("ECSHOP_DATABASE_URL",)),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_setting_that_cannot_be_used(tmp_path: Path, case: str) -> None:
    command, environment, words = SETTINGS[case]
    done = ecshop(*command, folder=tmp_path / "data", **environment)
    assert_one_line(done, *words)
    assert "hidden" not in done.stderr


@contextmanager
def taken(port: int = 0) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", port)) as listening:
        yield listening.getsockname()[1]


def test_a_port_that_is_taken_names_the_option_to_choose_another(tmp_path: Path) -> None:
    with taken() as port:
        assert_one_line(ecshop("up", "--port", str(port), folder=tmp_path / "data"), str(port), "--port")


@pytest.mark.parametrize("place", range(4))
def test_a_taken_port_of_the_split_mode_names_its_own_option(tmp_path: Path, place: int) -> None:
    first = four_free_ports()
    with taken(first + place):
        done = ecshop("up", "--split", "--base-port", str(first), folder=tmp_path / "data")
    assert_one_line(done, str(first + place), "--base-port")


def test_an_asgi_server_is_told_in_a_line_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import entrypoints.asgi"],
        env=os.environ | {"ECSHOP_DATA_DIR": str(tmp_path), "ECSHOP_PORT": "soon"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_one_line(done, "ECSHOP_PORT")


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    garbage = tmp_path / "ca.pem"
    garbage.write_text("no certificate")
    service = {"REDIS_URL": "redis://127.0.0.1:1/0", "ECSHOP_CLIENT_SECRET": "s3cret"}
    for file in ("/nowhere/ca.pem", str(garbage)):
        environment = service | {"SSL_CERT_FILE": file, "ECSHOP_STOCK_URL": "https://stock.example"}
        done = ecshop("serve", "order", "--port", "0", folder=tmp_path / "data", **environment)
        assert_one_line(done, "SSL_CERT_FILE")
    broker = service | {"REDIS_URL": "rediss://127.0.0.1:1/0?ssl_ca_certs=/nowhere/ca.pem"}
    assert_one_line(ecshop("serve", "order", "--port", "0", folder=tmp_path / "data", **broker), "/nowhere/ca.pem")


def test_neighbours_by_plain_http_need_no_certificates(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), client_secret="s3cret", redis_url="redis://127.0.0.1:1/0")
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
        surroundings.setenv("ALL_PROXY", "foo://nowhere")
        assert compose(settings, frozenset({"order"})).clients.stock is not None


def test_help_and_tokens_need_no_web_framework(tmp_path: Path) -> None:
    for command in (["--help"], ["token", "staff"], ["dlq", "list"]):
        traced = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "ecshop", *command],
            env=os.environ | {"ECSHOP_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        loaded = set(re.findall(r"\| +(\w+)$", traced.stderr, re.M))
        assert "click" in loaded
        assert not loaded & {"litestar", "uvicorn", "httpx", "redis"}, command

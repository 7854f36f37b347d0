"""Settings that cannot be used are said in one line that names them and what to do."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.server import ports_in_a_row
from ecshop.auth.keys import new_key
from entrypoints.compose import compose
from entrypoints.settings import Settings
from tests.flows.unusable import SERVE, UP, assert_one_line, ecshop

SETTINGS: dict[str, tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]] = {
    "a port that is text": (("up",), {"ECSHOP_PORT": "soon"}, ("ECSHOP_PORT", "whole number from 0 to 65535")),
    "a log format that is none": (UP, {"ECSHOP_LOG": "loud"}, ("ECSHOP_LOG", "auto, console, google, json")),
    "a variable that is none": (UP, {"ECSHOP_PROT": "1"}, ("ECSHOP_PROT", "known are")),
    "a Redis that is none": (SERVE, {"REDIS_URL": "localhost:6379"}, ("REDIS_URL", "redis://")),
    "a Redis by another scheme": (SERVE, {"REDIS_URL": "http://localhost"}, ("REDIS_URL", "redis://")),
    "a Redis without a name": (SERVE, {"REDIS_URL": "redis:/0"}, ("REDIS_URL", "redis://")),
    "a database of a Redis that is none": (SERVE, {"REDIS_URL": "redis://localhost/x"}, ("REDIS_URL", "redis://")),
    "an option of a Redis that is none": (SERVE, {"REDIS_URL": "redis://localhost?tea=1"}, ("REDIS_URL", "tea")),
    "an option of a Redis with a bad value": (
        SERVE,
        {"REDIS_URL": "redis://localhost?socket_timeout=soon"},
        ("REDIS_URL", "socket_timeout"),
    ),
    "certificates of a Redis that are none": (
        SERVE,
        {"REDIS_URL": "rediss://localhost?ssl_ca_certs=/etc/hostname"},
        ("REDIS_URL", "certificate"),
    ),
    "a Redis on no port": (SERVE, {"REDIS_URL": "redis://localhost:port/0"}, ("REDIS_URL", "redis://")),
    "no Redis at all": (SERVE, {}, ("REDIS_URL", "redis://")),
    "a bus that is none": (SERVE, {"ECSHOP_BUS": "kafka"}, ("ECSHOP_BUS", "auto, pubsub, redis")),
    "Pub/Sub without a project": (SERVE, {"ECSHOP_BUS": "pubsub"}, ("GOOGLE_CLOUD_PROJECT", "PUBSUB_EMULATOR_HOST")),
    "a project that is none": (SERVE, {"GOOGLE_CLOUD_PROJECT": "My shop"}, ("GOOGLE_CLOUD_PROJECT", "the id of")),
    "a prefix that is none": (SERVE, {"ECSHOP_PUBSUB_PREFIX": "7-"}, ("ECSHOP_PUBSUB_PREFIX", "a letter first")),
    "secrets without a colon": (UP, {"ECSHOP_CLIENT_SECRETS": "order"}, ("ECSHOP_CLIENT_SECRETS", "service:secret")),
    "secrets without a secret": (UP, {"ECSHOP_CLIENT_SECRETS": "order:"}, ("ECSHOP_CLIENT_SECRETS", "32 bytes")),
    "a secret that can be guessed": (
        UP,
        {"ECSHOP_CLIENT_SECRETS": f"order:{'s' * 31}"},
        ("ECSHOP_CLIENT_SECRETS", "32 bytes", "openssl"),
    ),
    "an own secret that can be guessed": (UP, {"ECSHOP_CLIENT_SECRET": "s" * 31}, ("ECSHOP_CLIENT_SECRET", "32 bytes")),
    "secrets of nobody": (UP, {"ECSHOP_CLIENT_SECRETS": "oder:s3cret"}, ("ECSHOP_CLIENT_SECRETS", "auth, product")),
    "secrets in a file that is none": (
        UP,
        {"ECSHOP_CLIENT_SECRETS": "file:/nowhere/secrets"},
        ("ECSHOP_CLIENT_SECRETS", "/nowhere/secrets", "No such file"),
    ),
    "a public key that is none": (UP, {"ECSHOP_CLIENT_KEYS": "order:short"}, ("ECSHOP_CLIENT_KEYS", "keys client")),
    "a key that is none": (UP, {"ECSHOP_CLIENT_KEY": "file:/etc/hostname"}, ("ECSHOP_CLIENT_KEY", "keys client")),
    "a key that was cut off": (
        UP,
        {"ECSHOP_CLIENT_KEY": "-----BEGIN PRIVATE KEY-----"},
        ("ECSHOP_CLIENT_KEY", "Ed25519"),
    ),
    "secrets in a file that is empty": (
        UP,
        {"ECSHOP_CLIENT_SECRETS": "file:/dev/null"},
        ("ECSHOP_CLIENT_SECRETS", "/dev/null", "is empty"),
    ),
    "two proofs of one service": (
        UP,
        {"ECSHOP_CLIENT_KEY": new_key().decode(), "ECSHOP_CLIENT_SECRET": "s" * 32},
        ("ECSHOP_CLIENT_KEY", "ECSHOP_CLIENT_SECRET", "leave one out"),
    ),
    "three secrets of one service": (
        UP,
        {"ECSHOP_CLIENT_SECRETS": ",".join(f"order:{letter * 32}" for letter in "abc")},
        ("ECSHOP_CLIENT_SECRETS", "more than 2"),
    ),
    "a time that is none": (
        UP,
        {"ECSHOP_RESERVATION_SECONDS": "0"},
        ("ECSHOP_RESERVATION_SECONDS", "from 0.1 to 86400"),
    ),
    "no host": (("up", "--port", "0", "--host", ""), {}, ("--host", "at least 1 character")),
    "no folder": (("up", "--port", "0", "--data-dir", ""), {}, ("--data-dir", "at least 1 character")),
    "a port that is too large, as an option": (("up", "--port", "70000"), {}, ("--port is 70000", "0 to 65535")),
    "a port that is too large, of the split mode": (
        ("up", "--split", "--base-port", "70000"),
        {},
        ("--base-port is 70000", "0 to 65535"),
    ),
    "a port of the platform that is text": (("up",), {"PORT": "abc"}, ("PORT is 'abc'", "whole number")),
    "no secret of one's own": (
        ("serve", "order", "--port", "0"),
        {"REDIS_URL": "redis://localhost:1/0"},
        ("ECSHOP_CLIENT_SECRET",),
    ),
    "a neighbour without a scheme": (UP, {"ECSHOP_AUTH_URL": "auth:8000"}, ("ECSHOP_AUTH_URL", "http://")),
    "a neighbour without a name": (UP, {"ECSHOP_STOCK_URL": "http:///stock"}, ("ECSHOP_STOCK_URL", "http://")),
    "a neighbour with a space": (UP, {"ECSHOP_STOCK_URL": "http://st ock"}, ("ECSHOP_STOCK_URL", "http://")),
    "a neighbour with a query": (UP, {"ECSHOP_STOCK_URL": "http://stock?x#y"}, ("ECSHOP_STOCK_URL", "http://")),
    "a collector without a scheme": (
        UP,
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "tempo:4318"},
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"),
    ),
    "more traces than there are": (UP, {"OTEL_TRACES_SAMPLER_ARG": "2"}, ("OTEL_TRACES_SAMPLER_ARG", "from 0 to 1")),
    "a folder for logs that is a file": (UP, {"ECSHOP_LOG_FOLDER": "/etc/hostname"}, ("/etc/hostname",)),
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
    "a database whose driver is not there": (
        UP,
        {"ECSHOP_DATABASE_URL": "mysql://h/{context}"},
        ("ECSHOP_DATABASE_URL", "postgresql+psycopg"),
    ),
    "a database on no port": (
        UP,
        {"ECSHOP_DATABASE_URL": "postgresql+psycopg://h:abc/{context}"},
        ("ECSHOP_DATABASE_URL", "postgresql+psycopg"),
    ),
    "a database that is a file": (
        UP,
        {"ECSHOP_DATABASE_URL": "sqlite:////nowhere/{context}"},
        ("ECSHOP_DATABASE_URL", "postgresql+psycopg"),
    ),
    "a database server that is away": (
        UP,
        {"ECSHOP_DATABASE_URL": "postgresql+psycopg://u:hidden@127.0.0.1:1/ecshop_{context}"},
        ("127.0.0.1", "ecshop_auth"),
    ),
    "a host that is none": (("up", "--port", "0", "--host", "no.such.host.invalid"), {}, ("no.such.host", "--host")),
    "a host that no name can be": (("up", "--port", "0", "--host", "a..b"), {}, ("a..b", "--host")),
    "a host of another machine": (("up", "--port", "0", "--host", "192.0.2.1"), {}, ("192.0.2.1", "--host")),
    "--base-port without --split": (("up", "--base-port", "9000"), {}, ("--base-port", "--split")),
    "--port with --split": (("up", "--split", "--port", "9000"), {}, ("--port", "--base-port")),
    "ports past the last one": (("up", "--split", "--base-port", "65533"), {}, ("--base-port", "1 to 65531")),
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
    first = ports_in_a_row()
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
    service = {"REDIS_URL": "redis://127.0.0.1:1/0", "ECSHOP_CLIENT_SECRET": "s" * 32}
    for file in ("/nowhere/ca.pem", str(garbage)):
        environment = service | {"SSL_CERT_FILE": file, "ECSHOP_STOCK_URL": "https://stock.example"}
        done = ecshop("serve", "order", "--port", "0", folder=tmp_path / "data", **environment)
        assert_one_line(done, "SSL_CERT_FILE")
    broker = service | {"REDIS_URL": "rediss://127.0.0.1:1/0?ssl_ca_certs=/nowhere/ca.pem"}
    assert_one_line(ecshop("serve", "order", "--port", "0", folder=tmp_path / "data", **broker), "/nowhere/ca.pem")


def test_neighbours_by_plain_http_need_no_certificates(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), client_secret="s" * 32, redis_url="redis://127.0.0.1:1/0")
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

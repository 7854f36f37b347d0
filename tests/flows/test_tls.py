"""A shop that ends TLS by itself, and one that is for real."""

from __future__ import annotations

import datetime
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench import patient
from bench.patient import PATIENCE
from tests.flows.test_commands import ecshop

HOST = "127.0.0.1"


def certificate_in(folder: Path) -> tuple[str, str]:
    """Of this machine, signed by itself: the files of it and of its key."""
    key, moment = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - datetime.timedelta(minutes=1))
        .not_valid_after(moment + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(cert), str(secret)


@contextmanager
def started(*arguments: str, **environment: str) -> Iterator[str]:
    """The address of a shop that was started so; it ends without being killed."""
    command = [sys.executable, "-m", "ecshop", "up", "--port", "0", *arguments]
    with subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            [address] = next(filter(None, (re.findall(r"Health +(\S+)/health", line) for line in process.stdout)))
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
    assert process.returncode == 0


def test_a_shop_with_a_certificate_speaks_https_and_asks_browsers_for_nothing_else(tmp_path: Path) -> None:
    cert, key = certificate_in(tmp_path)
    trust = ssl.create_default_context(cafile=cert)
    with started("--tls-cert", cert, "--tls-key", key, "--data-dir", str(tmp_path / "data")) as address:
        assert address.startswith("https://")
        with httpx.Client(verify=trust, base_url=address, timeout=PATIENCE) as http:
            answers = [http.get("/products"), http.get("/products/1"), http.get("/docs")]
        assert [answer.status_code for answer in answers] == [200, 404, 200]
        for answer in answers:
            assert answer.headers["strict-transport-security"] == "max-age=63072000"
        port = httpx.URL(address).port
        assert port
        with (
            socket.create_connection((HOST, port), timeout=10) as plain,
            trust.wrap_socket(plain, server_hostname=HOST) as connection,
        ):
            connection.sendall(b"NO HTTP AT ALL\r\n\r\n")
            refused = b"".join(iter(lambda: connection.recv(65536), b""))
        assert refused.startswith(b"HTTP/1.1 400 ")
        assert b"strict-transport-security: max-age=63072000\r\n" in refused
        with pytest.raises(httpx.HTTPError):
            patient.get(address.replace("https", "http") + "/products")


def test_a_shop_for_real_shows_no_docs_and_serves_all_else(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    real = {"ECSHOP_PROFILE": "production", "ECSHOP_TRUSTED_PROXIES": "10.0.0.1"}
    with started("--data-dir", data, **real) as address:
        paths = ["/docs", "/docs/openapi.json", "/docs/assets/docs.js"]
        assert {path: patient.get(address + path).status_code for path in paths} == dict.fromkeys(paths, 404)
        assert patient.get(f"{address}/products").status_code == 200


def test_what_is_not_fit_for_production_is_said_at_once_and_nothing_starts(tmp_path: Path) -> None:
    environment = {"ECSHOP_PROFILE": "production", "ECSHOP_LOG": "console", "ECSHOP_DATA_DIR": str(tmp_path / "data")}
    for command in (["up"], ["up", "--split"], ["serve", "stock"], ["config", "check"]):
        refused = ecshop(*command, **environment)
        assert refused.returncode == 1
        assert "nothing ends TLS" in refused.stderr
        assert "ECSHOP_LOG=console" in refused.stderr
    assert not (tmp_path / "data").exists()


def test_the_split_mode_is_for_one_machine(tmp_path: Path) -> None:
    real = {"ECSHOP_PROFILE": "production", "ECSHOP_TRUSTED_PROXIES": "10.0.0.1"}
    refused = ecshop("up", "--split", "--data-dir", str(tmp_path / "data"), **real)
    assert refused.returncode == 1
    assert "start each service by `ecshop serve`" in refused.stderr


@pytest.mark.parametrize("missing", [0, 1])
def test_a_certificate_without_its_key_is_refused(tmp_path: Path, missing: int) -> None:
    files = certificate_in(tmp_path)
    option = ("--tls-cert", "--tls-key")[missing]
    refused = ecshop("up", option, files[missing], "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert "go together" in refused.stderr


def test_what_is_no_certificate_is_refused_and_named(tmp_path: Path) -> None:
    _, key = certificate_in(tmp_path)
    refused = ecshop("up", "--tls-cert", key, "--tls-key", key, "--data-dir", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert "ECSHOP_TLS_CERT" in refused.stderr


def test_settings_that_can_be_used_are_named(tmp_path: Path) -> None:
    checked = ecshop("config", "check", ECSHOP_DATA_DIR=str(tmp_path), ECSHOP_PORT="8123")
    assert checked.returncode == 0
    assert checked.stdout.startswith("fit for development: ECSHOP_DATA_DIR, ")
    assert "ECSHOP_PORT" in checked.stdout

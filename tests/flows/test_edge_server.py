"""What comes before any app: bytes that are no HTTP, a signal right at the start, and a server that is not ours."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench import patient
from ecshop.kernel.file_lock import file_lock
from tests.shops import RunningShop
from tests.waiting import eventually

pytestmark = pytest.mark.sqlite_only

NO_HTTP = {
    "an unknown method": b"FOO /products HTTP/1.1\r\nhost: x\r\n\r\n",
    "no path": b"GET products HTTP/1.1\r\nhost: x\r\n\r\n",
    "a negative length": b"POST /products HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "a bad chunk": b"POST /products HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
    "noise": b"\x16\x03\x01\x00\xff" * 20,
}


@pytest.mark.parametrize("case", NO_HTTP)
def test_what_is_no_http_is_refused_as_a_problem_and_logged_as_a_line(together: RunningShop, case: str) -> None:
    with socket.create_connection(("127.0.0.1", together.server.ports["product"]), timeout=10) as connection:
        connection.sendall(NO_HTTP[case])
        answer = b""
        while more := connection.recv(65536):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert f"x-request-id: {problem['request_id']}".encode() in head
    assert (problem["status"], problem["code"]) == (400, "http.malformed")
    log = together.folder / "output.log"
    eventually(lambda: [line for line in log.read_text().splitlines() if problem["request_id"] in line] != [], True)
    assert all(line.startswith("{") for line in log.read_text().splitlines() if "HTTP request" in line)


def test_a_websocket_is_answered_as_any_other_request(together: RunningShop) -> None:
    headers = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
    }
    answer = together.call("GET", "/products", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_the_moment_of_readiness_ends_the_shop_in_peace(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "ecshop", "up", "--port", "0"],
        env=os.environ | {"ECSHOP_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("The shop is open")
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""


def test_another_server_says_in_a_line_why_it_cannot_start_the_shop(tmp_path: Path) -> None:
    with file_lock(tmp_path / "stock.db"):
        done = subprocess.run(
            [sys.executable, "-m", "uvicorn", "entrypoints.asgi:app", "--port", "0"],
            env=os.environ | {"ECSHOP_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert f"ecshop: {tmp_path / 'stock.db'} is in use" in done.stderr


def test_another_server_starts_and_stops_the_shop(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "entrypoints.asgi:app", "--port", "0"],
        env=os.environ | {"ECSHOP_DATA_DIR": str(tmp_path), "ECSHOP_LOG": "json"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        address = ""
        while not address:
            line = process.stderr.readline()
            assert line, "it did not start"
            address = line.partition("running on ")[2].split(" ")[0]
        assert patient.get(f"{address.strip()}/health/ready").json()["status"] == "ready"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        assert "Traceback" not in process.stderr.read()

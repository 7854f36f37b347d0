"""Clients that say too much, too slowly or nothing at all: each is told, or cut off, and is in nobody's way."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import patient
from tests.shops import RunningShop, shop_together
from tests.waiting import eventually

HEAD_SECONDS = BODY_SECONDS = 1
MOST = 16
LINE = b"GET /products HTTP/1.1\r\nhost: shop\r\n"
MEGABYTE = 2**20
BLOCK = 64 * 1024

ENDLESS = {
    "header lines": (LINE, b"x-filler: some more of it\r\n"),
    "one header": (LINE + b"x-filler: ", b"a" * 32),
    "one header's name": (LINE + b"x", b"a" * 32),
    "a path": (b"GET /", b"a" * 32),
    "a method's line": (b"", b"\r\n" * 16),
    "trailers": (
        b"POST /products HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
        b"x-filler: some more of it\r\n",
    ),
    "one trailer": (
        b"POST /products HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
        b"a" * 32,
    ),
    "what a chunk says of itself": (
        b"POST /products HTTP/1.1\r\nhost: shop\r\ntransfer-encoding: chunked\r\n\r\n1;x=",
        b"a" * 32,
    ),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    bounds = {
        "ECSHOP_HEAD_SECONDS": str(HEAD_SECONDS),
        "ECSHOP_BODY_SECONDS": str(BODY_SECONDS),
        "ECSHOP_MAX_CONNECTIONS": str(MOST),
    }
    with shop_together(tmp_path_factory.mktemp("bounds"), **bounds) as running:
        yield running


def connected(shop: RunningShop) -> socket.socket:
    return socket.create_connection(("127.0.0.1", shop.server.ports["product"]), timeout=10)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side ends."""
    answer = b""
    try:
        while more := connection.recv(65536):
            answer += more
    except ConnectionResetError:
        pass
    return answer


def code_of(answer: bytes) -> tuple[int, str]:
    """Of the last problem in it."""
    head, _, body = answer.rpartition(b"\r\n\r\n")
    problem = json.loads(body)
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    return problem["status"], problem["code"]


def memory(shop: RunningShop) -> int:
    """Bytes that the process holds."""
    pages = int(Path(f"/proc/{shop.server.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_is_refused_at_its_bound_and_takes_no_memory(shop: RunningShop, what: str) -> None:
    begins, goes_on = ENDLESS[what]
    block = goes_on * (BLOCK // len(goes_on))
    before = memory(shop)
    with connected(shop) as connection:
        connection.sendall(begins)
        try:
            for _ in range(20 * MEGABYTE // BLOCK):
                connection.sendall(block)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = all_of(connection)
    assert not answer or answer.split(b" ")[1] in (b"431", b"400", b"401")
    assert memory(shop) - before < 5 * MEGABYTE


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (LINE + b"x: " + b"a" * (16 * 1024 - len(LINE) - 7) + b"\r\n\r\n", 200),
        (LINE + b"x: " + b"a" * (16 * 1024 - len(LINE) - 6) + b"\r\n\r\n", 431),
        (LINE + b"x: y\r\n" * 98 + b"\r\n", 200),
        (LINE + b"x: y\r\n" * 100 + b"\r\n", 431),
        (LINE + b"x: y\r\n" * 2000 + b"\r\n", 431),
    ],
)
def test_a_head_has_at_most_16_kib_and_100_headers(shop: RunningShop, head: bytes, status: int) -> None:
    with connected(shop) as connection:
        connection.sendall(head)
        answer = connection.recv(65536)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        if status == 431:
            assert code_of(answer + all_of(connection)) == (431, "http.head_too_large")


def test_a_body_may_be_larger_than_a_head(shop: RunningShop) -> None:
    padded = b" " * 40_000 + b'{"name": "Tea", "price": 1}'
    answer = shop.call("POST", "/products", shop.staff, content=padded, headers={"content-type": "application/json"})
    assert answer.status_code == 201


def test_whoever_says_nothing_is_let_go(shop: RunningShop) -> None:
    with connected(shop) as connection:
        begun = time.monotonic()
        assert code_of(all_of(connection)) == (408, "http.too_slow")
        assert time.monotonic() - begun < HEAD_SECONDS + 3


@pytest.mark.parametrize(
    ("begins", "status"),
    [
        (LINE, 408),
        (b"\r\n", 408),
        (
            b"POST /auth/login HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n",
            408,
        ),
    ],
    ids=["a head", "empty lines", "a body"],
)
def test_whoever_drips_is_cut_off(shop: RunningShop, begins: bytes, status: int) -> None:
    with connected(shop) as connection:
        connection.sendall(begins)
        connection.settimeout(0.2)
        answer, begun = b"", time.monotonic()
        while not answer:
            assert time.monotonic() - begun < BODY_SECONDS + 5
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                connection.sendall(begins[:1] if begins == b"\r\n" else b"x")
        assert code_of(answer) == (status, "http.too_slow")


def test_a_kept_connection_on_which_empty_lines_drip_is_let_go(shop: RunningShop) -> None:
    with connected(shop) as connection:
        connection.sendall(LINE + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET /pro")
        assert code_of(all_of(connection)) == (408, "http.too_slow")


def test_whoever_does_not_read_its_answers_is_cut_off(shop: RunningShop) -> None:
    page = patient.get(shop.url("/products").replace("/products", "/docs")).text
    asset = next(part for part in page.split('"') if part.endswith(".js"))
    with connected(shop) as connection:
        for _ in range(20):
            connection.sendall(f"GET {asset} HTTP/1.1\r\nhost: shop\r\n\r\n".encode())
        eventually(lambda: _is_reset(connection), True, seconds=10)


def _is_reset(connection: socket.socket) -> bool:
    try:
        connection.send(b"GET / HTTP/1.1\r\n")
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_idle_connections_make_room_for_those_who_have_something_to_say(shop: RunningShop) -> None:
    with ExitStack() as stack:
        for _ in range(3 * MOST):
            stack.enter_context(connected(shop))
        assert shop.call("GET", "/products?limit=1").status_code == 200
    eventually(lambda: "all connections are taken" in (shop.folder / "output.log").read_text(), True)


def test_what_was_asked_for_before_a_refusal_is_answered(shop: RunningShop) -> None:
    with connected(shop) as connection:
        connection.sendall(LINE + b"\r\n" + LINE + b"x: " + b"a" * 40_000)
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("files", "starts"), [(150, False), (300, True)])
def test_a_shop_with_few_files_says_so_at_its_start(tmp_path: Path, files: int, starts: bool) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ecshop", "up", "--port", "0", "--data-dir", str(tmp_path / "data")],
            stdout=output,
            stderr=output,
            preexec_fn=limited,  # noqa: PLW1509 - nothing else runs in the child yet
        )
    try:
        if starts:
            eventually(lambda: "The shop is open" in log.read_text(), True, seconds=30)
            eventually(lambda: "the system gives too few files" in log.read_text(), True)
        else:
            assert process.wait(timeout=20) != 0
            assert "may open 150 files" in log.read_text()
            assert "ulimit -n" in log.read_text()
    finally:
        process.terminate()
        process.wait(timeout=20)

"""A shop is stopped while many buy: each request that was sent on an established connection is answered."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from uuid import UUID

import pytest

from bench.server import Server, ports_in_a_row, running
from entrypoints.contexts import NAMES
from tests.shops import RunningShop, need_redis, shop_together
from tests.waiting import eventually

BUYERS = 32
UNITS = 10**6
GONE_WITHIN = 8.0  # seconds

TOGETHER, APART = "together", "apart"


@contextmanager
def stopping(folder: Path, shape: str = TOGETHER) -> Iterator[RunningShop]:
    """A shop that is stopped within the context."""
    options = ("--port", "0") if shape == TOGETHER else ("--split", "--base-port", str(ports_in_a_row()))
    with running(folder, "ecshop", "up", *options, contexts=NAMES) as server, closing(RunningShop(server)) as shop:
        yield shop


class Buying:
    """What became of the orders of many buyers, who go on until they are refused a connection."""

    def __init__(self, shop: RunningShop) -> None:
        self._port, self._product = shop.server.ports["order"], shop.new_product(stock=UNITS)
        self._token = shop.customer
        self.bought: set[str] = set()
        self.statuses: list[int] = []
        self.unanswered: list[str] = []

    def once_a_connection(self) -> None:
        while (connection := self._connected()) is not None:
            with closing(connection):
                if not self._order(connection):
                    return

    def again_and_again(self) -> None:
        """Keep the connection until it is said to be closed."""
        while (connection := self._connected()) is not None:
            with closing(connection):
                while answered := self._order(connection):
                    if connection.sock is None:  # http.client has read `connection: close`
                        break
                if not answered:
                    return

    def _connected(self) -> HTTPConnection | None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            connection.connect()
        except ConnectionRefusedError:
            return None
        return connection

    def _order(self, connection: HTTPConnection) -> bool:
        path = f"/order?product_id={self._product}&quantity=1"
        try:
            connection.request("POST", path, headers={"authorization": f"Bearer {self._token}"})
            answer = connection.getresponse()
            body = json.loads(answer.read())
        except (OSError, HTTPException) as failure:
            self.unanswered.append(repr(failure))
            return False
        self.statuses.append(answer.status)
        if answer.status == 201:
            self.bought.add(body["id"])
        else:
            assert answer.headers["content-type"] == "application/problem+json"
        return True


@contextmanager
def many_buying(shop: RunningShop) -> Iterator[Buying]:
    """The context is left when they have all been refused a connection."""
    buying = Buying(shop)
    buyers = [
        threading.Thread(target=buy, daemon=True)
        for buy in (buying.once_a_connection, buying.again_and_again)
        for _ in range(BUYERS // 2)
    ]
    for buyer in buyers:
        buyer.start()
    eventually(lambda: len(buying.statuses) > 10 * BUYERS, True, seconds=30)
    yield buying
    for buyer in buyers:
        buyer.join(timeout=30)
    assert not any(buyer.is_alive() for buyer in buyers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("shape", [TOGETHER, APART])
def test_whoever_is_connected_when_the_shop_is_stopped_is_answered(
    shape: str, number: signal.Signals, tmp_path: Path
) -> None:
    """What was answered 201 is recorded and nothing else is; started again, the shop makes all of its books agree."""
    need_redis()
    with stopping(tmp_path, shape) as shop, many_buying(shop) as buying:
        assert _seconds_to_stop(shop.server, number) < GONE_WITHIN
    assert buying.unanswered == []
    assert set(buying.statuses) <= {201, 409, 503}
    assert buying.bought == _recorded(tmp_path)
    with shop_together(tmp_path):
        pass


def test_a_kept_connection_is_answered_once_more_and_an_idle_one_is_closed_in_peace(tmp_path: Path) -> None:
    with stopping(tmp_path) as shop, _connections(shop, 3) as (kept, idle, slow):
        assert b"connection: close" not in _asked(idle)
        began = _stop_noticed(shop, kept)
        assert kept.recv(1) == b""
        slow.sendall(_REQUEST[:20])
        assert idle.recv(1) == b""
        assert 0.5 < time.monotonic() - began < 2
        slow.sendall(_REQUEST[20:])
        assert b"connection: close" in _answer(slow)
        assert shop.server.process.wait(timeout=GONE_WITHIN) == 0


def test_requests_that_were_sent_one_after_the_other_without_waiting_are_all_answered(tmp_path: Path) -> None:
    with stopping(tmp_path) as shop, _connections(shop, 2) as (kept, pipelined):
        _asked(pipelined)
        _stop_noticed(shop, kept)
        pipelined.sendall(_REQUEST * 3)
        received = b"".join(iter(lambda: pipelined.recv(65536), b""))
        assert received.count(b"HTTP/1.1 200 ") == 3
        assert received.count(b"connection: close") == 1


def test_connections_that_nobody_has_accepted_yet_are_answered_too(tmp_path: Path) -> None:
    """A server that is stopped has the kernel accept for it: what waits in its queue is served before it closes."""
    with stopping(tmp_path) as shop:
        shop.server.process.send_signal(signal.SIGSTOP)
        with _connections(shop, 300) as queued:
            for one in queued:
                one.sendall(_REQUEST)
            shop.server.process.send_signal(signal.SIGTERM)
            shop.server.process.send_signal(signal.SIGCONT)
            assert {_answer(one)[:13] for one in queued} == {b"HTTP/1.1 200 "}
        assert shop.server.process.wait(timeout=GONE_WITHIN) == 0


_REQUEST = b"GET /health/live HTTP/1.1\r\nhost: shop\r\n\r\n"


def _seconds_to_stop(server: Server, number: signal.Signals) -> float:
    began = time.monotonic()
    server.process.send_signal(number)
    assert server.process.wait(timeout=30) == 0
    return time.monotonic() - began


@contextmanager
def _connections(shop: RunningShop, number: int) -> Iterator[list[socket.socket]]:
    address = ("127.0.0.1", shop.server.ports["order"])
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(number)]


def _asked(connection: socket.socket) -> bytes:
    connection.sendall(_REQUEST)
    return _answer(connection)


def _answer(connection: socket.socket) -> bytes:
    """The body is an object of JSON; what is cut off or reset fails."""
    received = b""
    while not received.endswith(b"}"):
        more = connection.recv(65536)
        assert more, received
        received += more
    return received


def _stop_noticed(shop: RunningShop, kept: socket.socket) -> float:
    """Stop the shop; returns when an answer on this connection says that it is the last one, and since when."""
    began = time.monotonic()
    shop.server.process.send_signal(signal.SIGTERM)
    eventually(lambda: b"connection: close" in _asked(kept), True)
    return began


def _recorded(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / "order.db")) as connection:
        return {str(UUID(bytes=id_)) for (id_,) in connection.execute("SELECT id FROM orders")}

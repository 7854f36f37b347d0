"""Ports for servers that are about to start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from entrypoints.local.ports import free_port
from entrypoints.local.redis_server import LOG, NoRedis, start_redis
from tests.shops import need_redis


def test_no_outgoing_connection_takes_a_port_before_its_server_has_it() -> None:
    given_away = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(given_away.read_text().split()[0])
    assert max(free_port(in_a_row=5) for _ in range(500)) + 4 < first


def test_nobody_else_is_given_a_port_before_its_server_has_it() -> None:
    port = free_port()
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_ports_in_a_row_are_free_all_of_them() -> None:
    first = free_port(in_a_row=20)
    for port in range(first, first + 20):
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_a_redis_whose_port_is_taken_says_where_it_has_written_why(tmp_path: Path) -> None:
    need_redis()
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(NoRedis, match=str(tmp_path / LOG)):
        start_redis(tmp_path, port)
    assert "in use" in (tmp_path / LOG).read_text()

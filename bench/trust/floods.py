"""Crowds that mean no good, each in a process of its own, so that it holds up nobody but the shop."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import httpx

HOST: Final = "127.0.0.1"
_HEAD: Final = b"GET /products HTTP/1.1\r\nhost: shop\r\n"
_BLOCK: Final = b"x-filler: some more of it\r\n" * 2400
_FILES: Final = 4096


@contextmanager
def going_on(flood: Callable[[int, int], None], port: int, count: int) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=flood, args=(port, count), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def logins(port: int, count: int) -> None:
    """All at once, again and again, each from an address of its own."""
    asyncio.run(_logins(port, count))


def drips(port: int, count: int) -> None:
    """Connections that begin a request and never end it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(_FILES, hard)), hard))
    open_: list[socket.socket] = []
    while True:
        for _ in range(count - len(open_)):
            connection = socket.create_connection((HOST, port))
            connection.sendall(_HEAD)
            open_.append(connection)
        time.sleep(1)
        open_ = [connection for connection in open_ if _drips(connection)]


def endless_heads(port: int, count: int) -> None:
    """So many times 20 MB of header lines."""
    for _ in range(count):
        with socket.create_connection((HOST, port)) as connection, suppress(OSError):
            connection.sendall(_HEAD)
            for _ in range(20 * 2**20 // len(_BLOCK)):
                connection.sendall(_BLOCK)


def endless_tokens(port: int, count: int) -> None:
    """So many times a token of 16 MB."""
    for _ in range(count):
        with socket.create_connection((HOST, port)) as connection, suppress(OSError):
            connection.sendall(b"GET /orders HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer ")
            for _ in range(256):
                connection.sendall(b"A" * 65536)


async def _logins(port: int, count: int) -> None:
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", limits=limits, timeout=60) as http:
        while True:
            await asyncio.gather(*(_log_in(http, number) for number in range(count)), return_exceptions=True)


async def _log_in(http: httpx.AsyncClient, number: int) -> None:
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    form = {"username": f"nobody{number}", "password": "a password"}
    await http.post("/auth/login", data=form, headers={"x-forwarded-for": address})


def _drips(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x")
    except OSError:
        connection.close()
        return False
    return True

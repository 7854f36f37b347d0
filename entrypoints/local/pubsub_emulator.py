"""A Pub/Sub of our own, the emulator of an installed gcloud: for the split mode, and for tests.

It is started by its jar: `gcloud beta emulators pubsub start` leaves it behind when it is ended. What it holds is gone
with it.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from ecshop.kernel.errors import EcshopError
from entrypoints.local.ports import free_port

_JARS: Final = "platform/pubsub-emulator/lib/*.jar"
_START: Final = 20.0  # seconds


class NoPubSub(EcshopError, code="pubsub.missing", status=500):
    """There is no emulator to be found or started."""


def emulator_command(port: int) -> list[str]:
    """Raises `NoPubSub`."""
    java, gcloud = shutil.which("java"), shutil.which("gcloud")
    jars = list(Path(gcloud).resolve().parents[1].glob(_JARS)) if gcloud else []
    if not java or not jars:
        raise NoPubSub(
            "no Pub/Sub emulator found: set PUBSUB_EMULATOR_HOST to one, or install Java, gcloud and its component "
            "pubsub-emulator"
        )
    return [java, "-jar", str(jars[0]), "--host=127.0.0.1", f"--port={port}"]


@contextmanager
def pubsub_emulator(port: int | None = None) -> Iterator[str]:
    """An emulator while the context lasts; gives its host and port. Raises `NoPubSub`."""
    port = port or free_port()
    process = subprocess.Popen(  # noqa: S603 - a command of our own, in which nothing is from outside
        emulator_command(port), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_it_answers(process, port)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return
        time.sleep(0.05)
    raise NoPubSub(f"the Pub/Sub emulator does not answer on port {port}")


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().strip() == b"Ok"
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

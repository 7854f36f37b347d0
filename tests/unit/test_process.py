"""What the split mode starts: when it counts as ready."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

from entrypoints.local.ports import free_port
from entrypoints.local.process import Process

SERVER = "import socket, sys, time; time.sleep(float(sys.argv[2])); \
listening = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"


async def test_what_listens_is_ready_when_it_can_be_connected_to() -> None:
    port = free_port()
    command = (sys.executable, "-c", SERVER, str(port), "0.5")
    process = Process("gateway", command, dict(os.environ), listens=("127.0.0.1", port))
    keeping = asyncio.create_task(process.keep_running())
    await process.ready.wait()
    with socket.create_connection(("127.0.0.1", port)):
        assert not keeping.done()
    keeping.cancel()
    await process.stop()


async def test_what_ends_before_it_listens_is_not_started_again() -> None:
    process = Process("gateway", (sys.executable, "-c", ""), dict(os.environ), listens=("127.0.0.1", free_port()))
    async with asyncio.timeout(30):
        await process.keep_running()
    assert not process.ready.is_set()

"""A server that stops without a reset: whoever is connected, or in the queue to be, is answered and then let go."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import uvicorn

from entrypoints.connections import Bounds, Connections
from entrypoints.protocol import ProblemProtocol

_HANDSHAKE: Final = 0.1  # seconds that a connection takes to come into the queue whose first packet has been let in
_LINGER: Final = 1.0  # seconds in which a client may send another request on a connection that it kept
_HURRY: Final = 2.4  # seconds after which what has not begun is refused
_GRACE: Final = 3.2  # seconds after which whatever is open is cut off
_LAST_WORDS: Final = 0.2  # seconds for the answers to what was cut off
_LOOK_EVERY: Final = 0.05

_SO_ATTACH_FILTER: Final = 26  # of Linux
_NO_SYN: Final = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
"""Drop a TCP segment whose flags have SYN in them, pass every other: load the flags, test, drop, pass (bpf(4))."""


class DrainingServer(uvicorn.Server):
    """Leaves the signals to its caller: uvicorn's own handling would raise them again after the shutdown."""

    server_state: Connections

    def __init__(self, config: uvicorn.Config, bounds: Bounds) -> None:
        super().__init__(config)
        self.server_state = Connections(bounds)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take in what the kernel has accepted, answer what was asked, and close each connection after its answer."""
        began = time.monotonic()
        self.server_state.is_draining = True
        for connection in self._connected():
            connection.shutdown()
        for listening in sockets or ():
            await self._stop_listening(listening)
        await self._let_go(began)
        for task in list(self.server_state.tasks):
            task.cancel()
        await self._wait_for(_LAST_WORDS)

    async def _stop_listening(self, listening: socket.socket) -> None:
        """Closing a socket resets the connections in its queue: no more are let in, and those that are get accepted."""
        _refuse_handshakes(listening)
        await asyncio.sleep(_HANDSHAKE)
        with listening.dup() as queue:
            for server in self.servers:
                server.close()
            listening.close()
            accepted = _all_in(queue)
        for one in accepted:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, one)

    async def _let_go(self, began: float) -> None:
        hurried = False
        while self.server_state.connections and time.monotonic() < began + _GRACE:
            await asyncio.sleep(_LOOK_EVERY)
            if time.monotonic() > began + _LINGER:
                _close_idle(self._connected())
            if time.monotonic() > began + _HURRY and not hurried:
                hurried = True
                for connection in self._connected():
                    connection.hurry()

    async def _wait_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(_LOOK_EVERY)
        for connection in self._connected():
            connection.transport.abort()

    def _connected(self) -> list[ProblemProtocol]:
        return [one for one in self.server_state.connections if isinstance(one, ProblemProtocol)]

    def _protocol(self) -> asyncio.Protocol:
        return ProblemProtocol(self.config, self.server_state, self.lifespan.state)


def _refuse_handshakes(listening: socket.socket) -> None:
    """Whoever comes from now on tries again, and finds nobody. Only Linux can; elsewhere the last few may be reset."""
    program = b"".join(struct.pack("@HBBI", *instruction) for instruction in _NO_SYN)
    held = ctypes.create_string_buffer(program, len(program))
    if sys.platform == "linux":
        with suppress(OSError):
            where = struct.pack("@HP", len(_NO_SYN), ctypes.addressof(held))
            listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)


def _all_in(queue: socket.socket) -> list[socket.socket]:
    accepted: list[socket.socket] = []
    queue.setblocking(False)
    with suppress(OSError):  # above all BlockingIOError: it is empty
        while True:
            connection, _ = queue.accept()
            connection.setblocking(False)
            accepted.append(connection)
    return accepted


def _close_idle(connections: list[ProblemProtocol]) -> None:
    """One whose next request has arrived, but was not read yet, is not idle."""
    idle = {one.transport.get_extra_info("socket").fileno(): one for one in connections if one.is_idle}
    arrived = select.poll()
    for descriptor in idle:
        arrived.register(descriptor, select.POLLIN)
    for descriptor, _ in arrived.poll(0):
        del idle[descriptor]
    for one in idle.values():
        one.transport.close()

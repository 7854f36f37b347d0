"""One process with some contexts behind HTTP, until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
from collections.abc import Callable
from typing import Any, cast

import uvicorn
import uvloop
from litestar.types import ASGIApp

from ecshop.kernel.errors import EcshopError
from entrypoints.compose import compose
from entrypoints.drain import DrainingServer
from entrypoints.protocol import ProblemProtocol
from entrypoints.settings import Settings

_KEEP_ALIVE = 75  # seconds; longer than our own clients keep a connection, so that none is closed under a request
_BACKLOG = 2048
LAST_STOP = 6  # seconds after which a process that was asked to stop is gone, whatever it hangs in
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


READY = "{contexts} on {address}"
"""The line by which a service says that it is ready, and which the split mode waits for."""


class PortInUse(EcshopError, code="port.in_use", status=500):
    """Something else listens on the port."""


def serve(settings: Settings, here: frozenset[str], *, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called with the address. Raises `PortInUse` or `FileInUse`."""
    with uvloop_runner() as runner:
        runner.run(_serve(settings, here, ready))


def uvloop_runner() -> asyncio.Runner:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def listening_socket(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Raises `PortInUse`, which names the `option` to choose another one with."""
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listening = socket.socket(family)
    except (OSError, UnicodeError) as cause:
        reason = getattr(cause, "strerror", None) or "it is no name of a host"
        raise PortInUse(f"cannot listen on {host}: {reason}; choose another with --host") from cause
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as cause:
        listening.close()
        mend = "choose another with --host" if cause.errno == errno.EADDRNOTAVAIL else f"choose another with {option}"
        raise PortInUse(f"cannot listen on {host}:{port}: {cause.strerror}; {mend}") from cause
    return listening


def address_of(host: str, port: int) -> str:
    """Where a browser on this machine finds what listens on `host`."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - looked for, not bound to
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


def stop_signal(*, within: int = 0) -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM from now on; what has not ended `within` so many seconds is ended."""
    stop = asyncio.Event()

    def set_() -> None:
        if not stop.is_set():
            stop.set()
            signal.alarm(within)

    for one in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(one, set_)
    return stop


async def serve_app(app: ASGIApp, listening: socket.socket, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Serve on a listening socket until `stop` is set, or until the server fails."""
    config = uvicorn.Config(
        cast(Any, app),  # Litestar and uvicorn have names of their own for the same ASGI types
        http=ProblemProtocol,
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
    )
    server = DrainingServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    stopping = asyncio.create_task(stop.wait())
    tune_gc()
    ready()
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await serving


async def _serve(settings: Settings, here: frozenset[str], ready: Callable[[str], None]) -> None:
    stop = stop_signal(within=LAST_STOP)
    shop = compose(settings, here)
    with listening_socket(settings.host, settings.port) as listening:
        address = address_of(settings.host, listening.getsockname()[1])
        async with shop.running():
            await serve_app(shop.app(), listening, lambda: ready(address), stop)


def tune_gc() -> None:
    """Leave what the start built out of every collection, and collect less often: it costs a sixth of the orders."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)

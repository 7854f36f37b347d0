"""One process with some contexts behind HTTP, until a signal ends it."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import uvicorn
import uvloop
from litestar.types import ASGIApp

from entrypoints.compose import compose
from entrypoints.connections import Bounds
from entrypoints.drain import DrainingServer
from entrypoints.listening import address_of, listening_socket
from entrypoints.protocol import ProblemProtocol
from entrypoints.settings import Settings
from entrypoints.shop import Shop
from entrypoints.stopping import LAST_STOP, stop_signal
from entrypoints.tracing import name_of, tracing

_DEFAULT_BOUNDS = Bounds()


def serve(
    settings: Settings,
    here: frozenset[str],
    *,
    ready: Callable[[str], None],
    prepare: Callable[[Shop], Awaitable[object]] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called with the address. Raises `PortInUse` or `FileInUse`.

    What is to `prepare` is done before the first request.
    """
    with uvloop_runner() as runner:
        runner.run(_serve(settings, here, ready, prepare))


def uvloop_runner() -> asyncio.Runner:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def serve_app(
    app: ASGIApp,
    listening: socket.socket,
    ready: Callable[[], None],
    stop: asyncio.Event,
    proxies: Sequence[str] = (),
    bounds: Bounds = _DEFAULT_BOUNDS,
    certificate: tuple[str, str] | None = None,
    stopping: asyncio.Event | None = None,
) -> None:
    """Serve on a listening socket until `stop` is set, or until the server fails; then `stopping` is set.

    With a `certificate` and its key, which are PEM files, by TLS.

    Of `X-Forwarded-For` and `X-Forwarded-Proto` counts what `proxies` have added to them: the last address that is none
    of theirs is the client's.
    """
    config = uvicorn.Config(
        cast(Any, app),  # Litestar and uvicorn have names of their own for the same ASGI types
        http=ProblemProtocol,
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_keep_alive=int(bounds.idle_seconds),
        ssl_certfile=certificate[0] if certificate else None,
        ssl_keyfile=certificate[1] if certificate else None,
    )
    server = DrainingServer(config, bounds)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    asked = asyncio.create_task(stop.wait())
    tune_gc()
    ready()
    await asyncio.wait([serving, asked], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    if stopping is not None:
        stopping.set()
    asked.cancel()
    await serving


async def _serve(
    settings: Settings,
    here: frozenset[str],
    ready: Callable[[str], None],
    prepare: Callable[[Shop], Awaitable[object]] | None,
) -> None:
    stop = stop_signal(within=LAST_STOP)
    bounds = Bounds(settings.max_connections, settings.head_seconds, settings.body_seconds).within_files()
    shop = compose(settings, here)
    with listening_socket(settings.host, settings.port) as listening, tracing(settings, name_of(here)):
        certificate = (settings.tls_cert, settings.tls_key) if settings.tls_cert else None
        address = address_of(settings.host, listening.getsockname()[1], "https" if certificate else "http")
        async with shop.running():
            if prepare is not None:
                await prepare(shop)
            await serve_app(
                shop.app(),
                listening,
                lambda: ready(address),
                stop,
                settings.proxies,
                bounds,
                certificate,
                shop.stopping,
            )


def tune_gc() -> None:
    """Leave what the start built out of every collection, and collect less often: it costs a sixth of the orders.

    What of it is garbage already is kept: 1,000 objects of 200,000. A collection at 50,000 new objects would take no
    less in all, and hold everybody up for five times as long.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)

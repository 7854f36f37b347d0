"""The split mode on one machine: four services, a Redis, and one terminal in which to watch them."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

import click

from ecshop.kernel.settings import Settings
from entrypoints import banner
from entrypoints.compose import CONTEXTS, GRANTS
from entrypoints.redis_server import redis_server
from entrypoints.serve import until_signalled

_COLOURS: Final = {"auth": "magenta", "product": "green", "stock": "yellow", "order": "cyan", "ecshop": "white"}
_GRACE: Final = 10.0  # seconds that a service has to stop by itself
_TOO_SOON: Final = 5.0  # seconds; a service that dies earlier than this is not started again
_CRASHED: Final = 1


def run_split(settings: Settings) -> None:
    """Run the four services until SIGINT or SIGTERM; exits with 1 when one cannot be kept running."""
    folder = Path(settings.data_dir).absolute() / "redis"
    with nullcontext(settings.redis_url) if settings.redis_url else redis_server(folder) as redis_url:
        if not asyncio.run(_run(settings, redis_url)):
            sys.exit(_CRASHED)


async def _run(settings: Settings, redis_url: str) -> bool:
    addresses = {name: f"http://{settings.host}:{settings.port + place}" for place, name in enumerate(CONTEXTS)}
    shared = _environment(settings, addresses, redis_url)
    granted = {name: secrets.token_urlsafe(32) for name in GRANTS}
    own = {name: {"ECSHOP_CLIENT_SECRET": secret} for name, secret in granted.items()}
    own["auth"] = {"ECSHOP_CLIENT_SECRETS": ",".join(f"{name}:{secret}" for name, secret in granted.items())}
    services = [
        _Service(name, shared | own.get(name, {}) | {"ECSHOP_PORT": str(settings.port + place)})
        for place, name in enumerate(CONTEXTS)
    ]
    stopping = asyncio.create_task(until_signalled())
    keeping = [asyncio.create_task(service.keep_running()) for service in services]
    opening = asyncio.create_task(_open(services, banner.split(addresses, redis_url, settings)))
    await asyncio.wait([stopping, *keeping], return_when=asyncio.FIRST_COMPLETED)
    asked = stopping.done()
    for task in (stopping, opening, *keeping):
        task.cancel()
    await asyncio.gather(*(service.stop() for service in services))
    _say("ecshop", "all services have stopped")
    return asked


def _environment(settings: Settings, addresses: Mapping[str, str], redis_url: str) -> dict[str, str]:
    log = settings.log if settings.log != "auto" else ("console" if sys.stdout.isatty() else "json")
    return {
        **os.environ,
        **{f"ECSHOP_{name.upper()}_URL": address for name, address in addresses.items()},
        "ECSHOP_HOST": settings.host,
        "ECSHOP_DATA_DIR": settings.data_dir,
        "ECSHOP_LOG": log,
        "REDIS_URL": redis_url,
        "PYTHONUNBUFFERED": "1",
    }


async def _open(services: Sequence[_Service], welcome: str) -> None:
    await asyncio.gather(*(service.ready.wait() for service in services))
    click.echo(welcome)


class _Service:
    """One service as a process of its own, in a session of its own: a Ctrl-C is ours to pass on."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name, self._environment = name, environment
        self.ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def keep_running(self) -> None:
        """Start the service, and start it again when it dies; returns when it dies too soon."""
        while True:
            started = time.monotonic()
            status = await self._run()
            how = _how_it_ended(status)
            if time.monotonic() - started < _TOO_SOON:
                _say("ecshop", f"{self.name} {how} right after its start; closing the shop")
                return
            _say("ecshop", f"{self.name} {how}; starting it again")

    async def stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_GRACE):
                await process.wait()
        except TimeoutError:
            _say("ecshop", f"{self.name} does not stop; killing it")
            process.kill()
            await process.wait()

    async def _run(self) -> int:
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ecshop", "serve", self.name),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        async for line in process.stdout:
            if line.startswith(f"{self.name} on http".encode()):
                self.ready.set()
            _say(self.name, line.decode(errors="replace").rstrip())
        return await process.wait()


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"


def _say(name: str, line: str) -> None:
    click.echo(click.style(f"{name:<8}| ", fg=_COLOURS[name]) + line)

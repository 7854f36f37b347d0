"""The split mode on one machine: four services, a Redis, and one terminal in which to watch them."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import click

from ecshop.kernel.file_lock import file_lock
from entrypoints.contexts import CONTEXTS, NAMES
from entrypoints.local import banner
from entrypoints.local.redis_server import free_port, redis_command
from entrypoints.neighbours import GRANTS
from entrypoints.serve import READY, until_signalled
from entrypoints.settings import BadSetting, Settings

_COLOURS: Final = {context.name: context.colour for context in CONTEXTS} | {"redis": "red", "ecshop": "white"}
_GRACE: Final = 10.0  # seconds that a service has to stop by itself
_TOO_SOON: Final = 1.0  # seconds; what dies earlier than this is not started again
_CRASHED: Final = 1
_LONGEST_LINE: Final = 2**24  # bytes of one line of output


def run_split(settings: Settings) -> None:
    """Run the four services, and a Redis where none is named, until SIGINT or SIGTERM.

    Exits with 1 when one of them cannot be kept running. Raises `NoRedis` or `FileInUse`.
    """
    if settings.port == 0:
        raise BadSetting("the split mode needs four ports in a row: name the first one with --base-port")
    addresses = {name: f"http://{settings.host}:{settings.port + place}" for place, name in enumerate(NAMES)}
    with ExitStack() as held:
        redis_port = free_port()
        redis_url = settings.redis_url or f"redis://127.0.0.1:{redis_port}/0"
        processes = _services(settings, addresses, redis_url)
        if not settings.redis_url:
            folder = settings.folder / "redis"
            processes.insert(0, _redis(folder, redis_port, held.enter_context(file_lock(folder))))
        if not asyncio.run(_run(processes, banner.split(addresses, redis_url, settings))):
            sys.exit(_CRASHED)


def _services(settings: Settings, addresses: Mapping[str, str], redis_url: str) -> list[_Process]:
    shared = _environment(settings, addresses, redis_url)
    granted = {name: secrets.token_urlsafe(32) for name in GRANTS}
    own = {name: {"ECSHOP_CLIENT_SECRET": secret} for name, secret in granted.items()}
    own["auth"] = {"ECSHOP_CLIENT_SECRETS": ",".join(f"{name}:{secret}" for name, secret in granted.items())}
    return [
        _Process(
            name,
            (sys.executable, "-m", "ecshop", "serve", name),
            shared | own.get(name, {}) | {"ECSHOP_PORT": str(settings.port + place)},
            announces=READY.format(contexts=name, address="http"),
        )
        for place, name in enumerate(NAMES)
    ]


def _redis(folder: Path, port: int, lock: int) -> _Process:
    """It holds the folder's lock as long as it lives: should we be killed, no second one may write to its log."""
    return _Process("redis", redis_command(folder, port), dict(os.environ), keeps=(lock,))


async def _run(processes: Sequence[_Process], welcome: str) -> bool:
    stopping = asyncio.create_task(until_signalled())
    keeping = [asyncio.create_task(process.keep_running()) for process in processes]
    opening = asyncio.create_task(_open(processes, welcome))
    await asyncio.wait([stopping, *keeping], return_when=asyncio.FIRST_COMPLETED)
    asked = stopping.done()
    for task in (stopping, opening, *keeping):
        task.cancel()
    await asyncio.gather(*(process.stop() for process in processes))
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


async def _open(processes: Sequence[_Process], welcome: str) -> None:
    await asyncio.gather(*(process.ready.wait() for process in processes))
    click.echo(welcome)


class _Process:
    """A process in a session of its own, since a Ctrl-C is ours to pass on."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        announces: str = "",
        keeps: Sequence[int] = (),
    ) -> None:
        """It is ready when it prints a line that begins with what it `announces`; it inherits what it `keeps`."""
        self.name, self._command, self._environment, self._announces = name, command, environment, announces.encode()
        self._keeps = tuple(keeps)
        self.ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def keep_running(self) -> None:
        """Start it, and start it again when it dies; returns when it dies before it was of any use."""
        while True:
            started = time.monotonic()
            status = await self._run()
            how = _how_it_ended(status)
            if not self.ready.is_set() or time.monotonic() - started < _TOO_SOON:
                _say("ecshop", f"{self.name} {how} right after its start; closing the shop")
                return
            self.ready.clear()
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
            *self._command,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=_LONGEST_LINE,
            pass_fds=self._keeps,
        )
        assert process.stdout is not None
        if not self._announces:
            self.ready.set()
        async for line in process.stdout:
            if self._announces and line.startswith(self._announces):
                self.ready.set()
            _say(self.name, line.decode(errors="replace").rstrip())
        return await process.wait()


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"


def _say(name: str, line: str) -> None:
    click.echo(click.style(f"{name:<8}| ", fg=_COLOURS[name]) + line)

"""The split mode on one machine: five services, a broker, and one terminal in which to watch them."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import Final

import click
from msgspec.structs import replace

from ecshop.kernel.file_lock import file_lock
from entrypoints.contexts import SERVICE_NAMES, WEB
from entrypoints.grants import GRANTS
from entrypoints.listening import READY, address_of, listening_socket
from entrypoints.local import SUPERVISOR, banner
from entrypoints.local.broker import Broker, broker_of
from entrypoints.local.nginx import GATEWAY, gateway_of
from entrypoints.local.process import Process, end_with_parent, say
from entrypoints.settings import BadSetting, Settings
from entrypoints.stopping import stop_signal

_CRASHED: Final = 1
_WAVE: Final = 2.0  # seconds that those who stop first have for themselves
_LAST_PORT: Final = 65535
_LOOPBACK: Final = "127.0.0.1,::1"


def run_split(settings: Settings, gateway_port: int | None = None, *, opens: bool = False) -> None:
    """Run the five services, a broker where none is named, and a gateway at its port, until SIGINT or SIGTERM.

    It `opens` the pages in a browser.

    Exits with 1 when one of them cannot be kept running. Raises `BadSetting`, `PortInUse`, `NoRedis`, `NoPubSub`,
    `NoNginx` or `FileInUse`.
    """
    if gateway_port is not None:
        settings = replace(settings, trusted_proxies=settings.trusted_proxies or _LOOPBACK)
    ports = _free_ports(settings)
    addresses = {name: address_of(settings.host, port) for name, port in ports.items()}
    with ExitStack() as held:
        held.enter_context(file_lock(settings.folder / SUPERVISOR))
        is_filled = settings.begins_with_demo
        if is_filled:
            _fill(settings)
        broker = broker_of(settings, held)
        processes = _services(settings, ports, addresses, broker)
        if broker.process:
            processes.insert(0, broker.process)
        shown = dict(addresses)
        if gateway_port is not None:
            listening_socket(settings.host, gateway_port, option="--gateway-port").close()
            processes.append(gateway_of(settings, addresses, gateway_port, held))
            shown[GATEWAY] = address_of(settings.host, gateway_port)
        front = shown.get(GATEWAY, shown[WEB.name])

        async def opened() -> None:
            link = await _link(settings, front) if settings.signs_in_by_link else ""
            click.echo(banner.split(shown, broker, settings, link, is_filled=is_filled))
            if opens:
                click.launch(front)

        if not asyncio.run(_run(processes, opened)):
            sys.exit(_CRASHED)


def _free_ports(settings: Settings) -> dict[str, int]:
    """A port for each service, in a row; services that fail one by one would not name it as clearly."""
    if not 0 < settings.port <= _LAST_PORT - len(SERVICE_NAMES) + 1:
        raise BadSetting(
            f"the split mode needs {len(SERVICE_NAMES)} ports in a row: "
            f"--base-port is the first one, from 1 to {_LAST_PORT - len(SERVICE_NAMES) + 1}"
        )
    ports = {name: settings.port + place for place, name in enumerate(SERVICE_NAMES)}
    for port in ports.values():
        listening_socket(settings.host, port, option="--base-port").close()
    return ports


def _services(
    settings: Settings, ports: Mapping[str, int], addresses: Mapping[str, str], broker: Broker
) -> list[Process]:
    shared = _environment(settings, addresses, broker)
    granted = {name: secrets.token_urlsafe(32) for name in GRANTS}
    own = {name: {"ECSHOP_CLIENT_SECRET": secret} for name, secret in granted.items()}
    own["auth"] = {
        "ECSHOP_CLIENT_SECRETS": ",".join(f"{name}:{secret}" for name, secret in granted.items()),
        "ECSHOP_TRUSTED_PROXIES": settings.trusted_proxies or _LOOPBACK,  # where the pages say for whom they sign in
    }
    return [
        Process(
            name,
            (sys.executable, "-m", "ecshop", "serve", name),
            shared | own.get(name, {}) | {"ECSHOP_PORT": str(ports[name])},
            announces=READY.format(contexts=name, address="http"),
        )
        for name in SERVICE_NAMES
    ]


def _fill(settings: Settings) -> None:
    """By a process of its own. Where that fails, the services will find, and say, what is wrong."""
    say("ecshop", "a new shop: filling it with goods to look at")
    command = (sys.executable, "-m", "ecshop", "demo", "fill", "--data-dir", settings.data_dir)
    done = subprocess.run(  # noqa: S603 - our own
        command, capture_output=True, text=True, check=False, preexec_fn=end_with_parent
    )
    if done.returncode:
        say("ecshop", f"it stays empty: {done.stderr.strip()}")


async def _link(settings: Settings, front: str) -> str:
    """By which an operator is signed in; none where it cannot be made, which is said."""
    command = (sys.executable, "-m", "ecshop", "user", "link", "--at", front, "--data-dir", settings.data_dir)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, preexec_fn=end_with_parent)
    try:
        made, why_not = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        say("ecshop", f"no link to the console: {why_not.decode().strip()}")
    return made.decode().strip()


async def _run(processes: Sequence[Process], opened: Callable[[], Awaitable[None]]) -> bool:
    """`opened` is called when all of them are ready."""
    stopping = asyncio.create_task(stop_signal().wait())
    keeping = [asyncio.create_task(process.keep_running()) for process in processes]
    opening = asyncio.create_task(_open(processes, opened))
    await asyncio.wait([stopping, *keeping], return_when=asyncio.FIRST_COMPLETED)
    asked = stopping.done()
    for task in (stopping, opening, *keeping):
        task.cancel()
    await _stop(processes)
    say("ecshop", "all services have stopped")
    return asked


async def _stop(processes: Sequence[Process]) -> None:
    """The gateway first; those who call others before these, so that they can answer what they were asked; the broker
    last.
    """
    stopping: list[asyncio.Task[None]] = []
    for _, wave in groupby(sorted(processes, key=_turn), key=_turn):
        stopping += [asyncio.create_task(process.stop()) for process in wave]
        await asyncio.wait(stopping, timeout=_WAVE)
    await asyncio.gather(*stopping)


def _turn(process: Process) -> int:
    if process.name in (GATEWAY, WEB.name):
        return (GATEWAY, WEB.name).index(process.name)
    return 2 if process.name in GRANTS else 3 if process.name in SERVICE_NAMES else 4


def _environment(settings: Settings, addresses: Mapping[str, str], broker: Broker) -> dict[str, str]:
    log = settings.log if settings.log != "auto" else ("console" if sys.stdout.isatty() else "json")
    return {
        **os.environ,
        **{f"ECSHOP_{name.upper()}_URL": address for name, address in addresses.items()},
        "ECSHOP_HOST": settings.host,
        "ECSHOP_DATA_DIR": settings.data_dir,
        "ECSHOP_LOG": log,
        "ECSHOP_LOG_FOLDER": str(settings.logs),
        "ECSHOP_TRUSTED_PROXIES": settings.trusted_proxies,
        **broker.environment,
        "PYTHONUNBUFFERED": "1",
    }


async def _open(processes: Sequence[Process], opened: Callable[[], Awaitable[None]]) -> None:
    await asyncio.gather(*(process.ready.wait() for process in processes))
    await opened()

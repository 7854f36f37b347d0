"""A process that the split mode starts, watches and starts again, and the lines that it prints."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import click

from entrypoints.contexts import SERVICES

_COLOURS: Final = {service.name: service.colour for service in SERVICES} | {
    "redis": "red",
    "pubsub": "red",
    "gateway": "blue",
    "ecshop": "white",
}
_GRACE: Final = 10.0  # seconds that a process has to stop by itself
_SHORTEST, _LONGEST = 0.2, 10.0  # seconds before what died is started again
_OF_USE: Final = 1.0  # seconds after which one that announces nothing counts as ready
_LOOK: Final = 0.1  # seconds between two attempts to connect
_STEADY: Final = 10.0  # seconds after which a process counts as one that runs
_PR_SET_PDEATHSIG: Final = 1
_PRCTL: Final[Any] = getattr(ctypes.CDLL(None), "prctl", None)
"""Of Linux; loaded here, since a process that was just forked must not import."""
_LONGEST_LINE: Final = 2**24  # bytes of one line of output


class Process:
    """A process in a session of its own, since a Ctrl-C is ours to pass on."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        announces: str = "",
        listens: tuple[str, int] | None = None,
        keeps: Sequence[int] = (),
    ) -> None:
        """It is ready when it prints a line that begins with what it `announces`, or can be connected to where it
        `listens`, or else as soon as it runs. It inherits what it `keeps`.
        """
        self.name, self._command, self._environment, self._announces = name, command, environment, announces.encode()
        self._listens, self._keeps = listens, tuple(keeps)
        self.ready = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    async def keep_running(self) -> None:
        """Start it, and start it again when it dies; returns when its first start fails."""
        was_ready, pause = False, _SHORTEST
        while True:
            started = time.monotonic()
            how = _how_it_ended(await self._run())
            ran = time.monotonic() - started
            was_ready |= self.ready.is_set() and (bool(self._announces or self._listens) or ran > _OF_USE)
            if not was_ready:
                say("ecshop", f"{self.name} {how} before it was ready; closing the shop")
                return
            self.ready.clear()
            pause = _SHORTEST if ran > _STEADY else min(_LONGEST, pause * 2)
            say("ecshop", f"{self.name} {how}; starting it again in {pause:g} s")
            await asyncio.sleep(pause)

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
            say("ecshop", f"{self.name} does not stop; killing it")
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
            preexec_fn=end_with_parent,
            limit=_LONGEST_LINE,
            pass_fds=self._keeps,
        )
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._wait_until_it_listens())
            await self._pass_on_lines(process)
            listening.cancel()
        return await process.wait()

    async def _pass_on_lines(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            if self._announces and line.startswith(self._announces):
                self.ready.set()
            say(self.name, line.decode(errors="replace").rstrip())

    async def _wait_until_it_listens(self) -> None:
        if self._announces:
            return
        while self._listens:
            try:
                _, connection = await asyncio.open_connection(*self._listens)
            except OSError:
                await asyncio.sleep(_LOOK)
            else:
                connection.close()
                break
        self.ready.set()


def end_with_parent() -> None:
    """Should we be killed, the kernel ends our processes: the next start finds their ports free (prctl(2))."""
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"


def say(name: str, line: str) -> None:
    """A line of output, under the name and in the colour of who says it; what cannot be printed is dropped."""
    with suppress(OSError, ValueError):
        click.echo(click.style(f"{name:<8}| ", fg=_COLOURS[name]) + line)

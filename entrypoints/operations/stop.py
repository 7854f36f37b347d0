"""Ending what runs on a data folder, whoever started it and wherever that was."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.file_lock import is_locked, lock_of, owners
from entrypoints.contexts import NAMES
from entrypoints.local import REDIS, SUPERVISOR
from entrypoints.settings import Settings

WAIT: Final = 15.0  # seconds
_LOOK_EVERY: Final = 0.05
_FILES: Final = (SUPERVISOR, *(f"{name}.db" for name in NAMES), REDIS)


class StillRunning(EcshopError, code="stop.still_running", status=500):
    """What was asked to stop has not."""


class NotOurs(EcshopError, code="stop.not_ours", status=500):
    """What runs is nothing that can be found by the data folder, or another user's."""


def stop_shop(settings: Settings, say: Callable[[str], None], *, wait: float = WAIT) -> None:
    """Ask by SIGTERM whoever owns a file of the folder, and wait; the split mode stops its services by itself.

    Raises `StillRunning` or `NotOurs`.
    """
    folder, asked = settings.folder, set[int]()
    deadline = time.monotonic() + wait
    while owned := [file for file in _FILES if is_locked(folder / file)]:
        if time.monotonic() > deadline:
            raise StillRunning(_left(folder, owned, wait))
        for pid, files in _to_ask(folder, owned).items():
            if pid not in asked:
                asked.add(pid)
                say(f"asking process {pid} to stop, {_what(files)}")
                _terminate(pid)
        time.sleep(_LOOK_EVERY)
    if asked:
        say("all has stopped")
    elif any(settings.server_of(name) for name in NAMES):
        raise NotOurs(
            f"nothing of {folder} is in use, and a shop on PostgreSQL leaves no mark there: this command only knows "
            "shops on SQLite and the split mode; stop that one where it was started"
        )
    else:
        say(f"nothing runs on {folder}")


def _to_ask(folder: Path, owned: Sequence[str]) -> Mapping[int, Sequence[str]]:
    """The owners with their files; where there is a supervisor it alone, since it would start its services again."""
    found: dict[int, list[str]] = {}
    for file in (SUPERVISOR,) if SUPERVISOR in owned else owned:
        for pid in owners(folder / file):
            found.setdefault(pid, []).append(file)
    return found


def _terminate(pid: int) -> None:
    with suppress(ProcessLookupError):
        try:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)  # one that is stopped, as by Ctrl-Z, would hear of it when it goes on
        except PermissionError as cause:
            raise NotOurs(f"process {pid} is another user's: stop it as that user") from cause


def _what(files: Sequence[str]) -> str:
    if SUPERVISOR in files:
        return "the supervisor of the split mode"
    if REDIS in files:
        return "a Redis that the split mode has left running"
    return f"the server of {', '.join(files)}"


def _left(folder: Path, owned: Sequence[str], waited: float) -> str:
    left = _to_ask(folder, owned)
    if left:
        each = ", ".join(f"process {pid} ({_what(files)})" for pid, files in left.items())
        return f"after {waited:g} s there is still {each}; end it with: kill -KILL {' '.join(map(str, left))}"
    each = ", ".join(f"{file}, locked by process id {lock_of(folder / file).read_text()}" for file in owned)
    return f"after {waited:g} s there is still in use: {each}, which cannot be seen from here; stop it where it runs"

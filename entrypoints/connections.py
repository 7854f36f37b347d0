"""All connections of a server: how many there may be, and how long each may take for what it has to say."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterable
from itertools import islice
from operator import itemgetter
from typing import Final, NamedTuple, Protocol, cast

import structlog
from uvicorn.server import ServerState

from ecshop.kernel.errors import EcshopError

log = structlog.get_logger("http")

_LOOK_EVERY: Final = 1.0  # seconds
_SAMPLE: Final = 64
_OTHER_FILES: Final = 192
"""Descriptors that are no client's: databases, neighbours, the broker, the log, and some to spare."""
_FEWEST: Final = 16


class TooFewFiles(EcshopError, code="files.too_few", status=500):
    """The system lets this process open so few files that it could serve hardly anybody."""


class Bounds(NamedTuple):
    """Seconds count from a connection's or a request's first moment; of a head, also where nothing has come yet."""

    connections: int = 2000
    head_seconds: float = 10
    body_seconds: float = 20
    idle_seconds: float = 75
    """Longer than our own clients keep a connection, so that none is closed under a request."""

    def within_files(self) -> Bounds:
        """As many connections as the process may have files; raises `TooFewFiles`."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self.connections + _OTHER_FILES
        if soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        left = soft - _OTHER_FILES
        if left >= self.connections:
            return self
        if left < _FEWEST:
            raise TooFewFiles(
                f"this process may open {soft} files, which is too few to serve anybody: raise the limit (ulimit -n "
                f"{wanted}; LimitNOFILE of systemd), it needs {_OTHER_FILES} and one for each connection"
            )
        log.warning(
            "fewer connections than ECSHOP_MAX_CONNECTIONS: the system gives too few files",
            connections=left,
            files=soft,
            needed=wanted,
        )
        return self._replace(connections=left)


class Connection(Protocol):
    """A client's."""

    def waited(self, moment: float) -> float | None:
        """For how many seconds it has been seen without a request that could be answered; None where there is one."""
        ...

    def look(self, moment: float) -> None:
        """End what has taken too long."""
        ...

    def drop(self) -> None:
        """End it at once, for another one that has more to say."""
        ...


class Connections(ServerState):
    """All that are open; while they are drained, each of them ends with the answer to its last request."""

    def __init__(self, bounds: Bounds) -> None:
        super().__init__()
        self.bounds, self.is_draining = bounds, False
        self._is_looking, self._said_at = False, 0.0

    def admit(self, new: Connection) -> bool:
        """Whether one more may stay, that is counted already; where it is full the idlest of some makes room."""
        if not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)
        if len(self.connections) <= self.bounds.connections:
            return True
        moment = asyncio.get_running_loop().time()
        self._say(moment)
        waiting = [(waited, one) for one in self._some if one is not new and (waited := one.waited(moment)) is not None]
        if not waiting:
            return False
        _, idlest = max(waiting, key=itemgetter(0))
        idlest.drop()
        return True

    @property
    def _some(self) -> Iterable[Connection]:
        return islice(self._all, _SAMPLE)

    @property
    def _all(self) -> set[Connection]:
        return cast(set[Connection], self.connections)

    def _look(self) -> None:
        moment = asyncio.get_running_loop().time()
        for one in list(self._all):
            one.look(moment)
        self._is_looking = bool(self.connections)
        if self._is_looking:
            asyncio.get_running_loop().call_later(_LOOK_EVERY, self._look)

    def _say(self, moment: float) -> None:
        """Once in a while."""
        if moment - self._said_at > self.bounds.head_seconds:
            self._said_at = moment
            log.warning("all connections are taken: idle ones make room", connections=self.bounds.connections)

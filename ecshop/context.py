"""What a bounded context hands to the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from litestar.types import ControllerRouterHandler
from sqlalchemy.orm import Session

from ecshop.events.catalog import Event
from ecshop.events.consumer import Handler
from ecshop.kernel.db.database import Database
from ecshop.kernel.db.schema_version import newest_version, runs_on, schema_version
from ecshop.kernel.http.health import NotReady

C = TypeVar("C")


class Counted(NamedTuple):
    """What a context counts while it works, by the values of one label."""

    name: str
    about: str
    label: str
    counts: Mapping[str, int]


class Measured(NamedTuple):
    """What is looked up in a context's database when somebody asks for metrics."""

    name: str
    about: str
    read: Callable[[Session], float]


@dataclass(frozen=True)
class Context(Generic[C]):
    """One context, built and ready to be placed in a process."""

    name: str
    client: C
    database: Database
    migrations: Path
    public: Sequence[ControllerRouterHandler] = ()
    internal: Sequence[ControllerRouterHandler] = ()
    """Routes for neighbouring services: served only by a service of its own."""
    subscriptions: Mapping[type[Event], Handler] = field(default_factory=dict)
    """The event types that this context listens to, and what applies them."""
    counted: Sequence[Counted] = ()
    measured: Sequence[Measured] = ()
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    """Work that runs beside the requests until it is cancelled."""

    @cached_property
    def schema(self) -> str | None:
        """The schema version that the code expects."""
        return newest_version(self.migrations)

    async def probe(self) -> None:
        """Raises `NotReady` for a schema that the code does not run on, `Aborted` when the database takes no write."""
        found = await self.database.read(lambda session: schema_version(session.connection()))
        if not runs_on(self.schema, found):
            raise NotReady(f"schema {found}, expected {self.schema}; run `ecshop migrate`")
        await self.database.check_write()

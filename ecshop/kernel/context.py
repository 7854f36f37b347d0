"""What a bounded context hands to the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from litestar.types import ControllerRouterHandler
from sqlalchemy.orm import Session

from ecshop.kernel.database import Database

C = TypeVar("C")

Handler = Callable[[Session, Sequence[Any]], Sequence[str]]
"""Applies events of one type set-wise, in the consumer's transaction; tells in a word what it did with each."""


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
    handlers: Mapping[type[Any], Handler] = field(default_factory=dict)
    """The event types that this context listens to."""
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    """Work that runs beside the requests until it is cancelled."""

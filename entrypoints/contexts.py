"""The one list of contexts and services. Whatever needs their names, ports, colours or modules takes them from here."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from inspect import getdoc
from types import ModuleType
from typing import Final


@dataclass(frozen=True)
class Service:
    """`port` is where it listens as a service of its own, `colour` what its log lines have in the split mode.

    All that it serves to the public is under one of its `paths`, of which it has chosen `own`. What is sent to one of
    its `uploads`, regular expressions, may be larger than the 64 KiB of all else.
    """

    name: str
    port: int
    colour: str
    own: tuple[str, ...]
    uploads: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return self.own


@dataclass(frozen=True)
class ContextEntry(Service):
    """A service with a database."""

    @property
    def paths(self) -> tuple[str, ...]:
        return (*self.own, f"audit/{self.name}", f"events/{self.name}")

    @property
    def module(self) -> ModuleType:
        """Loaded on demand: most commands need none of them."""
        return import_module(f"ecshop.{self.name}.module")

    @property
    def about(self) -> str:
        """What the context owns, as its package says."""
        return getdoc(import_module(f"ecshop.{self.name}")) or ""


CONTEXTS: Final = (
    ContextEntry("auth", 8000, "magenta", ("auth", "users", ".well-known")),
    ContextEntry("product", 8001, "green", ("products", "categories"), ("products/[0-9]+/picture",)),
    ContextEntry("stock", 8002, "yellow", ("stock",)),
    ContextEntry("order", 8003, "cyan", ("orders", "order")),
)
WEB: Final = Service(
    "web", 8004, "bright_blue", ("", "shop", "console", "static"), ("console/products/(?:new|[0-9]+)",)
)
"""Pages over all contexts."""
SERVICES: Final = (*CONTEXTS, WEB)
NAMES: Final = tuple(context.name for context in CONTEXTS)
SERVICE_NAMES: Final = tuple(service.name for service in SERVICES)
"""Calls go from a later one to earlier ones."""
ALL: Final = frozenset(SERVICE_NAMES)

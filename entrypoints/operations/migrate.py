"""Bringing the databases to the schema of this version."""

from __future__ import annotations

from collections.abc import Iterator

from ecshop.kernel.db.engine import ownership
from ecshop.kernel.db.migration import migrate
from entrypoints.contexts import CONTEXTS
from entrypoints.databases import database_of
from entrypoints.settings import Settings


def migrate_all(settings: Settings) -> Iterator[str]:
    """Says of each database whether there was anything to do. Raises `FileInUse` while the shop runs."""
    for context in CONTEXTS:
        database = database_of(settings, context.name)
        with ownership(database.url):
            changed = migrate(database.engine, context.module.MIGRATIONS)
        yield f"{context.name}: {'migrated' if changed else 'up to date'}"

"""Bringing the databases to the schema of this version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, create_engine

from ecshop.kernel.db.engine import ownership
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.db.revisions import migration_sql, outstanding
from entrypoints.contexts import CONTEXTS, ContextEntry
from entrypoints.databases import database_of
from entrypoints.settings import Settings


def migrate_all(settings: Settings) -> Iterator[str]:
    """Says of each database whether there was anything to do. Raises `FileInUse` while the shop runs."""
    for context in CONTEXTS:
        database = database_of(settings, context.name)
        with ownership(database.url):
            changed = migrate(database.engine, context.module.MIGRATIONS)
        yield f"{context.name}: {'migrated' if changed else 'up to date'}"


def outstanding_of_all(settings: Settings) -> dict[str, list[str]]:
    """By context, the versions that its database lacks. Changes nothing, and works beside a running shop."""
    return {one.name: outstanding(_engine(settings, one), one.module.MIGRATIONS) for one in CONTEXTS}


def sql_of_all(settings: Settings) -> Iterator[str]:
    """What `migrate_all` would have the databases do; those that lack nothing are left out."""
    for one in CONTEXTS:
        sql = migration_sql(_engine(settings, one), one.module.MIGRATIONS)
        if sql:
            yield f"-- {one.name}\n{sql}"


def _engine(settings: Settings, context: ContextEntry) -> Engine:
    """A file that is not there yet is not made by looking at it."""
    database = database_of(settings, context.name, guest=True)
    is_absent = not database.admits_others and not Path(str(database.url.database)).exists()
    return create_engine("sqlite://") if is_absent else database.engine

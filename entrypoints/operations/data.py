"""What becomes of a shop's databases at rest."""

from __future__ import annotations

from sqlalchemy.orm import Session

from ecshop.kernel.db.engine import ownership, writing
from ecshop.kernel.db.migration import migrate
from entrypoints.contexts import CONTEXTS
from entrypoints.databases import database_of
from entrypoints.identity import Identity
from entrypoints.settings import Settings


def accept_database(settings: Settings, context: str) -> int:
    """Take the database that is there, or a new one, for the shop's own; returns its generation.

    Raises `FileInUse` while the shop runs, `FileUnusable` or `DatabaseUnusable`.
    """
    [entry] = [one for one in CONTEXTS if one.name == context]
    database = database_of(settings, context)
    with ownership(database.url):
        migrate(database.engine, entry.module.MIGRATIONS)
        with Session(writing(database.engine)) as session, session.begin():
            generation = Identity(settings).accept(session, context)
        database.engine.dispose()
    return generation

"""Brings one context's database to the schema that its code expects.

A version says in its name which code runs on it: on `note_0007_since_0005` all since the fifth version, so that
a database can be migrated before its servers are replaced, and they can be put back.
"""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from ecshop.kernel.db.engine import is_held_up, own_schema, wait_for_turn, writing
from ecshop.kernel.db.schema_version import is_migrated, newest_version, runs_on, schema_version, understood

_TRIES, _PAUSE = 10, 1.0  # seconds, in which those go on who wait behind a migration that waits for a lock


def migrate(engine: Engine, versions: Path) -> bool:
    """Run the outstanding versions; says whether there were any. Raises `DatabaseUnusable`.

    A newer schema on which this code runs stays as it is. On SQLite the foreign keys rest meanwhile: a table that is
    rebuilt would else cascade its deletes.
    """
    with understood(engine):
        for _ in range(_TRIES - 1):
            try:
                return _migrate(engine, versions)
            except DBAPIError as cause:
                if not is_held_up(cause):
                    raise
                time.sleep(_PAUSE)
        return _migrate(engine, versions)


def _migrate(engine: Engine, versions: Path) -> bool:
    if is_migrated(engine, versions):
        return False
    with writing(engine).connect() as connection:
        return (_migrate_file if engine.dialect.name == "sqlite" else _migrate_server)(connection, versions)


def _migrate_file(connection: Connection, versions: Path) -> bool:
    _foreign_keys(connection, "OFF")
    _upgrade(connection, versions)
    _foreign_keys(connection, "ON")
    return True


def _migrate_server(connection: Connection, versions: Path) -> bool:
    """Of several that start side by side, one does it."""
    wait_for_turn(connection, "migrate")
    if runs_on(newest_version(versions), schema_version(connection)):
        return False
    schema = own_schema(connection)
    if schema:
        connection.execute(CreateSchema(schema, if_not_exists=True))
    _upgrade(connection, versions)
    return True


def _upgrade(connection: Connection, versions: Path) -> None:
    from ecshop.kernel.db import revisions  # noqa: PLC0415 - it loads Alembic, a tenth of a start

    revisions.upgrade(connection, versions)


def _foreign_keys(connection: Connection, switch: str) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(f"PRAGMA foreign_keys={switch}")

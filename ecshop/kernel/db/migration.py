"""Brings one context's database to the schema that its code expects.

A version says in its name which code runs on it: on `note_0007_since_0005` all since the fifth version, so that
a database can be migrated before its servers are replaced, and they can be put back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from ecshop.kernel.db.engine import DatabaseUnusable, is_held_up, own_schema, shown, wait_for_turn, writing
from ecshop.kernel.db.schema_version import is_migrated, newest_version, runs_on, schema_version, understood

log = structlog.get_logger("database")

_TRIES, _PAUSE = 10, 1.0  # seconds, in which those go on who wait behind a migration that waits for a lock


def migrate(engine: Engine, versions: Path) -> bool:
    """Run the outstanding versions; says whether there were any. Raises `DatabaseUnusable`.

    A newer schema on which this code runs stays as it is. On SQLite the foreign keys rest meanwhile: a table that is
    rebuilt would else cascade its deletes.
    """
    with _understood(engine):
        for _ in range(_TRIES - 1):
            try:
                return _migrate(engine, versions)
            except DBAPIError as cause:
                if not is_held_up(cause):
                    raise
                time.sleep(_PAUSE)
        return _migrate(engine, versions)


def outstanding(engine: Engine, versions: Path) -> list[str]:
    """The versions that `migrate` would run, each with what it is about. Raises `DatabaseUnusable`."""
    with _understood(engine):
        with engine.connect() as connection:
            found = schema_version(connection)
        if runs_on(newest_version(versions), found):
            return []
        scripts = ScriptDirectory.from_config(_config(versions)).iterate_revisions("head", found or "base")
        return [f"{script.revision}: {script.doc}" for script in reversed(list(scripts))]


def migration_sql(engine: Engine, versions: Path) -> str:
    """What `migrate` would have the database do, as SQL; it is not done. Raises `DatabaseUnusable`."""
    if not outstanding(engine, versions):
        return ""
    with engine.connect() as connection:
        found, schema = schema_version(connection), own_schema(connection)
    config = _config(versions)
    config.output_buffer = StringIO()
    config.attributes.update(dialect=engine.dialect.name, schema=schema)
    try:
        command.upgrade(config, f"{found or 'base'}:head", sql=True)
    except CommandError as cause:
        raise DatabaseUnusable(f"a version cannot be written as SQL for {shown(engine.url)}: {cause}") from cause
    return _preamble(engine, schema) + config.output_buffer.getvalue()


def _preamble(engine: Engine, schema: str | None) -> str:
    """What `migrate` says to a server before: where, and that nobody shall wait for long behind what waits."""
    if engine.dialect.name == "sqlite":
        return ""
    lines = ["SET lock_timeout = '1s';"]
    if schema:
        quoted = engine.dialect.identifier_preparer.quote(schema)
        lines += [f"CREATE SCHEMA IF NOT EXISTS {quoted};", f"SET search_path TO {quoted}, public;"]
    return "\n\n".join([*lines, ""]) + "\n"


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
    config = _config(versions)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()


@contextmanager
def _understood(engine: Engine) -> Iterator[None]:
    try:
        with understood(engine):
            yield
    except (CommandError, RevisionError) as cause:
        raise DatabaseUnusable(
            f"the database {shown(engine.url)} is at a version that this ecshop does not know ({cause}): "
            "was it made by a newer one?"
        ) from cause


def _foreign_keys(connection: Connection, switch: str) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(f"PRAGMA foreign_keys={switch}")


def _config(versions: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    return config

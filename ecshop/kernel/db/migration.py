"""Brings one context's database to the schema that its code expects."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from ecshop.kernel.db.engine import DatabaseUnusable, own_schema, shown, wait_for_turn, writing


def migrate(engine: Engine, versions: Path) -> bool:
    """Run the outstanding versions; says whether there were any. Raises `DatabaseUnusable`.

    On SQLite the foreign keys rest meanwhile: a table that is rebuilt would else cascade its deletes.
    """
    try:
        return _migrate(engine, versions)
    except DBAPIError as cause:
        raise DatabaseUnusable.by(cause, engine.url) from cause
    except CommandError as cause:
        raise DatabaseUnusable(
            f"the database {shown(engine.url)} is at a version that this ecshop does not know ({cause}): "
            "was it made by a newer one?"
        ) from cause


def _migrate(engine: Engine, versions: Path) -> bool:
    with engine.connect() as connection:
        if schema_version(connection) == newest_version(versions):
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
    if schema_version(connection) == newest_version(versions):
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


def schema_version(connection: Connection) -> str | None:
    """The version that the database is at; None for an empty one."""
    where = {"version_table_schema": own_schema(connection)}
    return MigrationContext.configure(connection, opts=where).get_current_revision()


def newest_version(versions: Path) -> str | None:
    return ScriptDirectory.from_config(_config(versions)).get_current_head()


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

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

from ecshop.kernel.db.engine import DatabaseUnusable, shown, writing


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
    on_sqlite = engine.dialect.name == "sqlite"
    with writing(engine).connect() as connection:
        if on_sqlite:
            _foreign_keys(connection, "OFF")
        config = _config(versions)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        if on_sqlite:
            _foreign_keys(connection, "ON")
    return True


def schema_version(connection: Connection) -> str | None:
    """The version that the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


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

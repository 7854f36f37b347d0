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

from ecshop.kernel.db.engine import writing
from ecshop.kernel.errors import EcshopError


class CannotMigrate(EcshopError, code="database.cannot_migrate", status=503):
    """The database cannot be opened, or is at a version that this code does not know."""


def migrate(engine: Engine, versions: Path) -> bool:
    """Run the outstanding versions; says whether there were any. Raises `CannotMigrate`.

    On SQLite the foreign keys rest meanwhile: a table that is rebuilt would else cascade its deletes.
    """
    try:
        return _migrate(engine, versions)
    except DBAPIError as cause:
        reason = str(cause.orig).splitlines()[0]
        raise CannotMigrate(f"the database {_shown(engine)} cannot be opened: {reason}") from cause
    except CommandError as cause:
        raise CannotMigrate(
            f"the database {_shown(engine)} is at a version that this ecshop does not know ({cause}): "
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


def _shown(engine: Engine) -> str:
    return engine.url.database or "" if engine.dialect.name == "sqlite" else engine.url.render_as_string()


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

"""What Alembic does to a database, and what it would do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from ecshop.kernel.db.engine import DatabaseUnusable, own_schema, shown
from ecshop.kernel.db.schema_version import newest_version, runs_on, schema_version, understood


def upgrade(connection: Connection, versions: Path) -> None:
    """To the newest version. Raises `DatabaseUnusable`."""
    config = _config(versions)
    config.attributes["connection"] = connection
    with _known(connection.engine):
        command.upgrade(config, "head")
    connection.commit()


def outstanding(engine: Engine, versions: Path) -> list[str]:
    """The versions that `migrate` would run, each with what it is about. Raises `DatabaseUnusable`."""
    with understood(engine), _known(engine):
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


@contextmanager
def _known(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (CommandError, RevisionError) as cause:
        raise DatabaseUnusable(
            f"the database {shown(engine.url)} is at a version that this ecshop does not know ({cause}): "
            "was it made by a newer one?"
        ) from cause


def _config(versions: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    return config

"""Which schema a database is at, and which one the code expects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, column, inspect, select, table
from sqlalchemy.exc import DBAPIError

from ecshop.kernel.db.engine import DatabaseUnusable, own_schema, shown

log = structlog.get_logger("database")

_TABLE, _COLUMN = "alembic_version", "version_num"
_VERSION: Final = re.compile(r"([a-z_]+)_(\d{4})(?:_since_(\d{4}))?")
_REVISION: Final = re.compile(r'^revision(?:: \w+)? = "(\w+)"', re.MULTILINE)
_FORMER: Final = re.compile(r'^down_revision(?:: [\w| ]+)? = "(\w+)"', re.MULTILINE)


def schema_version(connection: Connection) -> str | None:
    """The version that the database is at; None for an empty one."""
    schema = own_schema(connection)
    if not inspect(connection).has_table(_TABLE, schema=schema):
        return None
    version: str | None = connection.scalar(select(column(_COLUMN)).select_from(table(_TABLE, schema=schema)))
    return version


def newest_version(versions: Path) -> str | None:
    """The one that no other follows."""
    told = [file.read_text() for file in versions.glob("*.py")]
    former = {revision for text in told for revision in _FORMER.findall(text)}
    newest = [revision for text in told for revision in _REVISION.findall(text) if revision not in former]
    return newest[0] if newest else None


def runs_on(own: str | None, found: str | None) -> bool:
    """Whether code whose newest version is its `own` runs on a schema of the version that was `found`."""
    if own == found:
        return True
    mine, theirs = _VERSION.fullmatch(own or ""), _VERSION.fullmatch(found or "")
    if mine is None or theirs is None or mine[1] != theirs[1]:
        return False
    return int(theirs[2]) > int(mine[2]) >= int(theirs[3] or theirs[2])


def is_migrated(engine: Engine, versions: Path) -> bool:
    """Whether this code runs on it as it is: a newer schema may do."""
    with engine.connect() as connection:
        found, own = schema_version(connection), newest_version(versions)
    if not runs_on(own, found):
        return False
    if found != own:
        log.warning("the schema is newer than this code, which runs on it", found=found, expected=own)
    return True


@contextmanager
def understood(engine: Engine) -> Iterator[None]:
    """What a driver raises is raised as `DatabaseUnusable`."""
    try:
        yield
    except DBAPIError as cause:
        raise DatabaseUnusable.by(cause, engine.url) from cause


def require_own(engine: Engine, versions: Path) -> None:
    """Raises `DatabaseUnusable` unless the schema is just the one that the code knows; a later one may have more."""
    with understood(engine), engine.connect() as connection:
        found, own = schema_version(connection), newest_version(versions)
    if found != own:
        raise DatabaseUnusable(f"the database {shown(engine.url)} is at version {found}, and this ecshop knows {own}")

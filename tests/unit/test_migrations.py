"""Migrations: they lead to exactly the schema of the models, and a database keeps what it has."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, text

from ecshop.events import tables
from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.db.schema_version import newest_version, schema_version
from entrypoints.contexts import NAMES
from tests.unit.schema import MigratedEngine, assert_same_schema, is_an_index, schema, versions

each_context = pytest.mark.parametrize("context", NAMES)


@each_context
def test_the_migrations_make_what_the_models_say(context: str, migrated: MigratedEngine) -> None:
    with migrated(context).connect() as connection:
        found = MigrationContext.configure(connection, opts={"include_name": _is_of_the_models})
        assert compare_metadata(found, _models(context)) == []


@each_context
def test_the_migrations_make_the_same_checks_and_table_options(
    context: str, migrated: MigratedEngine, tmp_path: Path
) -> None:
    by_models = create_engine(f"sqlite:///{tmp_path}/by-models.db")
    with by_models.begin() as expected, migrated(context).connect() as connection:
        _models(context).create_all(expected)
        assert_same_schema(schema(connection), schema(expected))
    by_models.dispose()


@each_context
def test_a_migrated_database_is_at_the_newest_version(context: str, migrated: MigratedEngine) -> None:
    with migrated(context).connect() as connection:
        assert schema_version(connection) == newest_version(versions(context)) is not None


def test_an_empty_database_is_at_no_version(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db")
    with engine.connect() as connection:
        assert schema_version(connection) is None
    engine.dispose()


@each_context
def test_migrating_twice_does_nothing_the_second_time(context: str, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / context}.db")
    assert migrate(engine, versions(context))
    with engine.connect() as connection:
        before = schema(connection)
    assert not migrate(engine, versions(context))
    with engine.connect() as connection:
        assert schema(connection) == before
    engine.dispose()


@each_context
def test_foreign_keys_count_again_after_a_migration(context: str, migrated: MigratedEngine) -> None:
    with migrated(context).connect() as connection:
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def _is_of_the_models(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name is None or not is_an_index(name)


def _models(context: str) -> MetaData:
    """The context's own tables and those of the events, as one."""
    together = MetaData()
    for metadata in (import_module(f"ecshop.{context}.models").Base.metadata, tables.Base.metadata):
        for table in metadata.sorted_tables:
            table.to_metadata(together)
    return together

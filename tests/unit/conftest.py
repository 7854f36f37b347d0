"""Databases of the test's own, and an auth that signs its tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ecshop.auth.module import MIGRATIONS as OF_AUTH
from ecshop.kernel.db.database import Database
from ecshop.kernel.db.engine import open_engine, writing
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.tokens import Verifier
from tests.databases import Databases
from tests.unit.accounts import Auth
from tests.unit.issuer import Issuer, KeySource
from tests.unit.notes import MIGRATIONS, OpenDatabase
from tests.unit.schema import MigratedEngine, versions


@pytest.fixture
async def open_database(databases: Databases) -> AsyncIterator[OpenDatabase]:
    """Opens the database of that name, with a table for notes and those of the events; the test's end closes it."""
    opened: list[Database] = []

    def open_(name: str = "shop", *, guest: bool = False) -> Database:
        database = Database(databases.url(name, None if guest else MIGRATIONS), guest=guest)
        opened.append(database)
        database.open(MIGRATIONS)
        return database

    yield open_
    for database in reversed(opened):
        await database.close()


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    return open_database()


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    """The same tables without the threads around them."""
    engine = open_engine(databases.url("shop", MIGRATIONS))
    yield writing(engine)
    engine.dispose()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def source(issuer: Issuer) -> KeySource:
    return KeySource(issuer.key)


@pytest.fixture
def verifier(source: KeySource) -> Verifier:
    return Verifier(source, callees=["stock"])


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[MigratedEngine]:
    """Makes the context's database, at its newest version."""
    engines: list[Engine] = []

    def migrate_(context: str) -> Engine:
        engine = open_engine(f"sqlite:///{tmp_path / context}.db")
        engines.append(engine)
        migrate(engine, versions(context))
        return engine

    yield migrate_
    for engine in engines:
        engine.dispose()


@pytest.fixture
async def auth(databases: Databases) -> AsyncIterator[Auth]:
    database = Database(databases.url("auth", OF_AUTH))
    database.open(OF_AUTH)
    yield Auth(database)
    await database.close()

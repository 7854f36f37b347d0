"""Migrations of a server: whoever starts beside others waits for them, and contexts may share a database."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import URL, text

from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.db.schema_version import newest_version, schema_version
from entrypoints.contexts import NAMES
from tests.databases import OnPostgres, PostgresServer
from tests.unit.schema import versions

_REPLICAS = 6


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[URL]:
    databases = OnPostgres(postgres)
    yield databases.url("shop")
    databases.close()


def test_of_replicas_that_start_together_one_migrates(empty: URL) -> None:
    all_are_here = Barrier(_REPLICAS)

    def start(_replica: int) -> bool:
        engine = open_engine(empty)
        try:
            all_are_here.wait(timeout=10)
            return migrate(engine, versions("stock"))
        finally:
            engine.dispose()

    with ThreadPoolExecutor(_REPLICAS) as replicas:
        assert sorted(replicas.map(start, range(_REPLICAS))) == [False] * (_REPLICAS - 1) + [True]


def test_each_context_may_have_a_schema_in_one_database(empty: URL) -> None:
    for context in NAMES:
        engine = open_engine(empty.update_query_dict({"schema": context}))
        assert migrate(engine, versions(context))
        assert not migrate(engine, versions(context))
        with engine.connect() as connection:
            assert schema_version(connection) == newest_version(versions(context))
        engine.dispose()
    engine = open_engine(empty)
    with engine.connect() as connection:
        tables = text("SELECT table_schema FROM information_schema.tables WHERE table_name = :name ORDER BY 1")
        assert connection.scalars(tables, {"name": "alembic_version"}).all() == sorted(NAMES)
        assert connection.scalars(tables, {"name": "reservation"}).all() == ["stock"]
        assert schema_version(connection) is None
    engine.dispose()

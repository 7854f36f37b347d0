"""How many connections a process has to a server: as many as it may, and one by which it leads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, text
from sqlalchemy.orm import Session

from ecshop.kernel.db.database import Database
from tests.databases import OnPostgres, PostgresServer
from tests.unit.notes import MIGRATIONS

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[URL]:
    databases = OnPostgres(postgres)
    yield databases.url("shop", MIGRATIONS)
    databases.close()


def _work(session: Session) -> int:
    """Long enough for all threads to have some; returns how many connections there are."""
    time.sleep(0.02)
    found: int = session.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")) or 0
    return found


@pytest.mark.parametrize("connections", [3, 4, 5, 10, 17])
async def test_a_process_has_no_more_connections_than_it_may(url: URL, connections: int) -> None:
    database = Database(url, connections=connections)
    database.open(MIGRATIONS)
    assert await database.lead.held()
    for _ in range(3):
        ways = (database.read, database.read_apart, database.write)
        counted = await asyncio.gather(*(way(_work) for way in ways for _ in range(2 * connections)))
    assert max(counted) == connections + 1
    await database.close()

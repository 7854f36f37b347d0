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
    time.sleep(0.05)
    found: int = session.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")) or 0
    return found


@pytest.mark.parametrize("connections", [3, 4, 5, 10, 17])
async def test_a_process_has_no_more_connections_than_it_may(url: URL, connections: int) -> None:
    database = Database(url, connections=connections)
    database.open(MIGRATIONS)
    assert await database.lead.held()
    asked: list[asyncio.Future[int]] = []
    for way in (database.read, database.read_apart, database.write) * 3 * connections:
        asked.append(asyncio.ensure_future(way(_work)))
        await asyncio.sleep(0.001)  # what is asked in one turn goes to one thread
    counted = await asyncio.gather(*asked)
    assert connections <= max(counted) <= connections + 1
    await database.close()

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
    ours = text("SELECT count(*) FROM pg_stat_activity WHERE (datname, usename) = (current_database(), current_user)")
    found: int = session.scalar(ours) or 0
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


async def test_a_server_that_refuses_one_more_goes_on_with_those_that_it_has(
    url: URL, postgres: PostgresServer
) -> None:
    with postgres.admitting(str(url.database), connections=3) as name:
        database = Database(url.set(username=name), connections=12)
        database.open(MIGRATIONS)
        written: list[asyncio.Future[int]] = []
        for _ in range(40):
            written.append(asyncio.ensure_future(database.write(_work)))
            await asyncio.sleep(0.001)
        assert max(await asyncio.gather(*written)) <= 3
        await database.close()


async def test_what_a_connection_that_the_server_ended_has_not_done_is_done_on_the_next(
    url: URL, postgres: PostgresServer
) -> None:
    database = Database(url, connections=3)
    database.open(MIGRATIONS)
    assert await database.read(_work)
    assert await database.write(_work)
    with postgres.refusing(str(url.database)):
        pass
    assert await database.read(_work)
    assert await database.write(_work)
    await database.close()

"""How many connections a process has to a server: as many as it may, and one by which it leads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Aborted
from tests.databases import OnPostgres, PostgresServer
from tests.unit.notes import MIGRATIONS, add, hang

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[URL]:
    databases = OnPostgres(postgres)
    yield databases.url("shop", MIGRATIONS)
    databases.close()


@pytest.fixture(autouse=True)
def threads_join_soon_and_a_busy_machine_may_take_long_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecshop.kernel.db.database._ANOTHER_AFTER", 0.01)
    monkeypatch.setattr("ecshop.kernel.db.lane._SAYS_NO_WITHIN", 30)


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


async def test_a_write_waits_for_no_other_that_takes_long(url: URL) -> None:
    database = Database(url)
    database.open(MIGRATIONS)
    ended, hanging = threading.Event(), list[asyncio.Future[bool]]()
    for text_ in ("Tea", "Rice", "Salt"):
        began = threading.Event()
        hanging.append(asyncio.ensure_future(database.write(hang, began, ended)))
        await asyncio.to_thread(began.wait, 30)
        await database.write(add, text_)
    assert not any(one.done() for one in hanging)
    ended.set()
    assert await asyncio.gather(*hanging) == [True] * 3
    await database.close()


async def test_a_server_that_refuses_one_more_goes_on_with_those_that_it_has(
    url: URL, postgres: PostgresServer
) -> None:
    with postgres.admitting(str(url.database), connections=3) as name:
        database = Database(url.set(username=name), connections=12)
        database.open(MIGRATIONS)
        for way in (database.read, database.read_apart, database.write):
            await way(_work)  # each has one before anybody wants more
        assert max(await asyncio.gather(*await _asked_in_turn(database, 40))) <= 3
        await database.close()


async def test_a_connection_that_is_lost_and_not_to_be_had_again_costs_the_others_nothing(
    url: URL, postgres: PostgresServer
) -> None:
    with postgres.admitting(str(url.database), connections=8) as name:
        database = Database(url.set(username=name), connections=12)
        database.open(MIGRATIONS)
        had = max(await asyncio.gather(*await _asked_in_turn(database, 40)))
        postgres.admit(name, connections=1)
        postgres.end_one_connection(name)
        left = await asyncio.gather(*await _asked_in_turn(database, 80))
        assert max(left) == had - 1
        await database.close()


async def test_what_waits_while_a_thread_asks_for_a_connection_is_answered_when_the_database_is_closed(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(url, connections=12)
    database.open(MIGRATIONS)
    await database.write(_work)
    asking, may_go_on = threading.Event(), threading.Event()

    def refused() -> Connection:
        asking.set()
        may_go_on.wait(5)
        raise OperationalError("CONNECT", None, Exception("too many connections"), connection_invalidated=True)

    monkeypatch.setattr(database._writers._engine, "connect", refused)
    written = await _asked_in_turn(database, 20)
    await asyncio.to_thread(asking.wait, 5)
    closing = asyncio.ensure_future(database.close())
    await asyncio.sleep(0)
    may_go_on.set()
    await closing
    async with asyncio.timeout(5):
        told = await asyncio.gather(*written, return_exceptions=True)
    assert all(isinstance(one, int | Aborted) for one in told)


async def _asked_in_turn(database: Database, times: int) -> list[asyncio.Future[int]]:
    """What is asked in one turn of the event loop goes to one thread."""
    asked: list[asyncio.Future[int]] = []
    for _ in range(times):
        asked.append(asyncio.ensure_future(database.write(_work)))
        await asyncio.sleep(0.001)
    return asked


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

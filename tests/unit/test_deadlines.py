"""Nobody waits for a database longer than it is worth: deadlines, a queue with an end, a database that is away."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from ecshop.kernel.db import engine as engines
from ecshop.kernel.db import lane as lanes
from ecshop.kernel.db.database import Database
from ecshop.kernel.deadline import Deadline, deadline
from ecshop.kernel.errors import Aborted, Unavailable
from tests.databases import OnPostgres, PostgresServer
from tests.unit.notes import MIGRATIONS, Halving, OpenDatabase, add, texts
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio
on_sqlite = pytest.mark.sqlite_only

SHORT = 0.2  # seconds
WRITERS = {"sqlite": 1, "postgres": 4}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, open_database: OpenDatabase) -> Database:
    """It waits for a lock no longer than SHORT."""
    monkeypatch.setattr(engines, "_BUSY_TIMEOUT", int(SHORT * 1000))
    return open_database()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    with closing(sqlite3.connect(folder / "shop.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def _within(seconds: float, database: Database, note: str) -> None:
    until = Deadline(seconds)
    token = deadline.set(until)
    try:
        await database.write(add, note)
    finally:
        deadline.reset(token)


async def _writes(database: Database, note: str) -> bool:
    try:
        await database.write(add, note)
    except Aborted:
        return False
    return True


@on_sqlite
async def test_what_nobody_waits_for_any_more_is_not_begun(database: Database, tmp_path: Path) -> None:
    with locked(tmp_path):
        late = asyncio.ensure_future(_within(SHORT, database, "late"))
        patient = asyncio.ensure_future(_within(60, database, "patient"))
        await asyncio.sleep(2 * SHORT)
    with pytest.raises(Aborted, match="its time was over"):
        await late
    await patient
    assert await database.read(texts) == ["patient"]


@on_sqlite
async def test_of_a_batch_only_what_is_waited_for_is_done(database: Database, tmp_path: Path) -> None:
    halving, until = Halving(), Deadline(60)

    async def halve(number: int, until: Deadline) -> int:
        deadline.set(until)
        return await database.write_many(halving, number)

    with locked(tmp_path):
        asked = [asyncio.ensure_future(halve(number, until if number == 4 else Deadline(60))) for number in (2, 4, 6)]
        await asyncio.sleep(0)
        await asyncio.sleep(SHORT)
        until.give_up()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [outcomes[0], type(outcomes[1]), outcomes[2]] == [1, Aborted, 3]
    assert await database.read(texts) == ["2", "6"]


@on_sqlite
async def test_a_database_that_is_known_not_to_answer_refuses_at_once_and_is_back_when_it_answers(
    impatient: Database, tmp_path: Path
) -> None:
    with locked(tmp_path):
        waiting = [asyncio.ensure_future(impatient.write(add, str(number))) for number in range(3)]
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, Aborted)
        began = time.monotonic()
        for number in range(20):
            with pytest.raises(Aborted):
                await impatient.write(add, str(number))
        assert time.monotonic() - began < SHORT

    await eventually_async(lambda: _writes(impatient, "again"), True)
    assert await impatient.read(texts) == ["again"]


@on_sqlite
async def test_reading_goes_on_while_writing_is_refused(impatient: Database, tmp_path: Path) -> None:
    await impatient.write(add, "Tea")
    with locked(tmp_path):
        with pytest.raises(Aborted):
            await impatient.write(add, "Coffee")
        assert await impatient.read(texts) == ["Tea"]


@on_sqlite
async def test_a_closed_database_does_not_wait_for_one_that_is_away(impatient: Database, tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(Aborted):
            await impatient.write(add, "Coffee")
        async with asyncio.timeout(5):
            await impatient.close()


@on_sqlite
async def test_one_statement_that_fails_refuses_nobody_else(database: Database) -> None:
    with pytest.raises(Unavailable):
        await database.write(lambda session: session.execute(text("SELECT * FROM nowhere")))
    await database.write(add, "Tea")


@on_sqlite
async def test_only_so_many_requests_wait_and_background_work_is_not_counted_out(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_MOST_WAITING", 3)
    with locked(tmp_path):
        waiting = [asyncio.ensure_future(_within(60, database, str(number))) for number in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Aborted, match="too much waits"):
            await _within(60, database, "one too many")
        background = asyncio.ensure_future(database.write(add, "background"))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting, background)
    assert await database.read(texts) == ["0", "1", "2", "background"]
    await _within(60, database, "3")


async def test_a_transaction_that_does_not_end_makes_nobody_wait_behind_it(
    database: Database, dbms: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_STUCK", SHORT)
    go_on = threading.Event()
    hanging = []
    for _ in range(WRITERS[dbms]):
        hanging.append(asyncio.ensure_future(database.write(lambda _: go_on.wait(10))))
        await asyncio.sleep(SHORT / 2)
    await asyncio.sleep(2 * SHORT)
    noticing = asyncio.ensure_future(database.write(add, "Coffee"))
    await asyncio.sleep(SHORT)
    with pytest.raises(Aborted):
        await database.write(add, "Tea")
    go_on.set()
    await noticing
    assert all(await asyncio.gather(*hanging))
    await database.write(add, "Tea")


@on_sqlite
async def test_of_a_commit_that_fails_nobody_says_that_it_was_not_done(database: Database) -> None:
    def fail(_: object) -> None:
        event.remove(Engine, "commit", fail)
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(Engine, "commit", fail)
    with pytest.raises(Unavailable) as raised:
        await database.write(add, "Tea")
    assert not isinstance(raised.value, Aborted)


@on_sqlite
async def test_what_fails_before_its_commit_was_not_done(database: Database) -> None:
    def fails(session: Session) -> None:
        add(session, "Tea")
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk I/O error"))

    with pytest.raises(Aborted):
        await database.write(fails)
    assert await database.read(texts) == []


@pytest.fixture
async def served(postgres: PostgresServer) -> AsyncIterator[Database]:
    """On a server, which other tests use too."""
    databases = OnPostgres(postgres)
    database = Database(databases.url("shop", MIGRATIONS))
    database.open(MIGRATIONS)
    yield database
    await database.close()
    databases.close()


async def test_a_server_that_is_gone_refuses_at_once_and_is_back_when_it_answers(
    served: Database, postgres: PostgresServer
) -> None:
    await served.write(add, "Tea")
    with postgres.refusing(str(served.url.database)):
        with pytest.raises(Unavailable):
            await served.write(add, "Coffee")
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(Unavailable):
                await served.write(add, "Coffee")
        assert time.monotonic() - began < 1

    await eventually_async(lambda: _writes(served, "Cocoa"), True)
    assert await served.read(texts) == ["Tea", "Cocoa"]

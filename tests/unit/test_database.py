"""One context's database: transactions, and what its opening and its closing promise."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ecshop.kernel.db import database as module
from ecshop.kernel.db.database import Database
from ecshop.kernel.db.transaction import notify
from ecshop.kernel.errors import TookTooLong, Unavailable
from ecshop.kernel.telemetry.logs import request_id
from tests.databases import Databases
from tests.unit.notes import MIGRATIONS, Halving, OddNumber, OpenDatabase, add, hang, texts

pytestmark = pytest.mark.anyio

LONG = {
    "sqlite": "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {0}) SELECT count(*) FROM n",
    "postgres": "SELECT count(*) FROM generate_series(1, {0})",
}
"""A statement that takes as long as its number is large."""


def _add_and_fail(session: Session, name: str) -> None:
    add(session, name)
    raise ValueError("after the row was written")


async def test_what_was_written_can_be_read(database: Database) -> None:
    await database.write(add, "Tea", "Coffee")
    assert await database.read(texts) == ["Tea", "Coffee"]


async def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ValueError, match="after the row was written"):
        await database.write(_add_and_fail, "Tea")
    assert await database.read(texts) == []


async def test_a_failed_write_does_not_spoil_the_next_one(database: Database) -> None:
    await database.write(add, "Tea")
    with pytest.raises(IntegrityError):
        await database.write(add, "Coffee", "Tea")
    await database.write(add, "Cocoa")
    assert await database.read(texts) == ["Tea", "Cocoa"]


async def test_writes_that_come_together_are_transactions_of_their_own(database: Database) -> None:
    results = await asyncio.gather(
        database.write(add, "Tea"), database.write(_add_and_fail, "Coffee"), return_exceptions=True
    )
    assert results[0] is None
    assert isinstance(results[1], ValueError)
    assert await database.read(texts) == ["Tea"]


async def test_a_database_that_fails_is_unavailable_and_asked_again_the_next_time(
    database: Database, dbms: str
) -> None:
    failing = {"sqlite": "SELECT * FROM nowhere", "postgres": "SELECT pg_terminate_backend(pg_backend_pid())"}[dbms]
    with pytest.raises(Unavailable):
        await database.read(lambda session: session.execute(text(failing)))
    assert await database.read(texts) == []


async def test_a_commit_is_told_to_those_who_wait_for_it(database: Database) -> None:
    commits: list[str] = []
    database.on_commit.append(lambda: commits.append("committed"))
    await database.read(texts)
    assert commits == []
    await database.write(add, "Tea")
    assert commits == ["committed"]
    await database.write_many(Halving(), 2)
    assert commits == ["committed", "committed"]


async def test_what_was_rolled_back_is_no_commit(database: Database) -> None:
    commits: list[str] = []
    database.on_commit.append(lambda: commits.append("committed"))
    await database.write(add, "Tea")
    for failing in (database.write(add, "Tea"), database.write_many(Halving(breaks_at=2), 2)):
        with pytest.raises((IntegrityError, ValueError)):
            await failing
    assert commits == ["committed"]


async def test_what_is_news_is_told_to_those_who_wait_for_news(database: Database) -> None:
    news: list[str] = []
    database.on_notify.append(lambda: news.append("news"))

    def tell(session: Session, name: str) -> None:
        add(session, name)
        notify(session)

    await database.write(tell, "Tea")
    assert news == ["news"]
    await database.write(add, "Cocoa")
    with pytest.raises(IntegrityError):
        await database.write(tell, "Tea")
    await database.write(add, "Coffee")
    assert news == ["news"]


async def test_one_unit_of_work_runs_with_the_context_variables_of_its_caller(database: Database) -> None:
    token = request_id.set("r-1")
    try:
        assert await database.read(lambda _: request_id.get()) == "r-1"
        assert await database.write(lambda _: request_id.get()) == "r-1"
    finally:
        request_id.reset(token)
    assert await database.read(lambda _: request_id.get()) == ""


async def test_items_that_are_written_each_have_an_outcome_each_errors_too(database: Database) -> None:
    halving = Halving(breaks_at=4)
    two, three, four, six = await database.write_each(halving, [2, 3, 4, 6])
    assert (two, six) == (1, 3)
    assert (type(three), type(four)) == (OddNumber, ValueError)
    assert halving.sizes == [4, 1, 1, 1, 1]
    assert await database.read(texts) == ["2", "3", "6"]
    assert await database.write_each(halving, []) == []


async def test_what_comes_up_while_a_writer_is_at_work_is_written_together(
    open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecshop.kernel.db.database._ANOTHER_AFTER", 60)
    database, halving = open_database(), Halving()
    began, ended = threading.Event(), threading.Event()
    asked: list[asyncio.Future[Any]] = [asyncio.ensure_future(database.write(hang, began, ended))]
    await asyncio.to_thread(began.wait, 30)
    for number in range(0, 20, 2):
        await asyncio.to_thread(began.wait)  # and any other thread that is free could take the one before
        asked.append(asyncio.ensure_future(database.write_many(halving, number)))
    for _ in range(5):  # turns, until the last one is handed over
        await asyncio.sleep(0)
    ended.set()
    await asyncio.gather(*asked)
    assert halving.sizes == [10]


@pytest.mark.sqlite_only
async def test_sqlite_is_set_up_to_lose_nothing(database: Database) -> None:
    def pragmas(session: Session) -> list[object]:
        return [
            session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "journal_size_limit")
        ]

    everything = ["wal", 2, 1, 5000, 16 * 2**20]
    for ask in (database.read, database.read_apart, database.write):
        assert await ask(pragmas) == everything


@pytest.mark.sqlite_only
async def test_a_file_is_cached_and_mapped_as_far_as_is_said(databases: Databases) -> None:
    def pragmas(session: Session) -> list[object]:
        return [session.scalar(text(f"PRAGMA {name}")) for name in ("cache_size", "mmap_size")]

    for megabytes, said in (((2, 0), [-2000, 0]), ((8, 64), [-8000, 64 * 2**20])):
        database = Database(databases.url("shop", MIGRATIONS), page_cache_mb=megabytes[0], mmap_mb=megabytes[1])
        database.open(MIGRATIONS)
        assert await database.read(pragmas) == said
        await database.close()


async def test_what_takes_too_long_apart_is_ended(
    database: Database, dbms: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_APART_WITHIN", 0.05)
    with pytest.raises(TookTooLong):
        await database.read_apart(lambda session: session.scalar(text(LONG[dbms].format(10**9))))
    assert await database.read_apart(texts) == []
    assert await database.read(lambda session: session.scalar(text(LONG[dbms].format(10**5)))) == 10**5


async def test_what_hangs_apart_holds_up_no_other_read(database: Database) -> None:
    ended = threading.Event()
    hanging = [asyncio.ensure_future(database.read_apart(lambda _: ended.wait(30))) for _ in range(20)]
    await database.write(add, "Tea")
    assert await database.read(texts) == ["Tea"]
    assert not any(one.done() for one in hanging)
    ended.set()
    assert await asyncio.gather(*hanging) == [True] * 20


async def test_closing_finishes_what_was_asked_before(open_database: OpenDatabase) -> None:
    database = open_database()
    writes = [asyncio.ensure_future(database.write(add, str(number))) for number in range(20)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writes) == [None] * 20


async def test_a_closed_database_is_unavailable(open_database: OpenDatabase) -> None:
    database = open_database()
    await database.close()
    for ask in (
        database.read(texts),
        database.read_apart(texts),
        database.write(add, "Tea"),
        database.write_many(Halving(), 2),
    ):
        with pytest.raises(Unavailable):
            await ask


@pytest.mark.sqlite_only
async def test_a_closed_database_has_folded_its_log_into_the_file(open_database: OpenDatabase, tmp_path: Path) -> None:
    database = open_database()
    await database.write(add, "Tea")
    await database.close()
    assert _files(tmp_path) == ["shop.db", "shop.db.lock"]


def _files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())

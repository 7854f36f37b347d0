"""One context's database: transactions, waiting work done together, and one owner for a file."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ecshop.kernel.db.database import Database
from ecshop.kernel.db.migration import schema_version
from ecshop.kernel.errors import EcshopError, Unavailable
from ecshop.kernel.file_lock import FileInUse
from ecshop.product.models import CategoryRow
from tests.waiting import DEADLINE, eventually

pytestmark = pytest.mark.anyio

OpenDatabase = Callable[..., Database]
Result = int | BaseException


class OddNumber(EcshopError, code="test.odd_number", status=409):
    """The number cannot be halved."""


def _add(session: Session, *names: str) -> None:
    session.add_all(CategoryRow(name=name) for name in names)
    session.flush()


def _add_and_fail(session: Session, name: str) -> None:
    _add(session, name)
    raise ValueError("after the row was written")


def _names(session: Session) -> list[str]:
    return list(session.scalars(select(CategoryRow.name).order_by(CategoryRow.id)))


class Halving:
    """Work for a batch that notes how much came at a time, and adds a row for each number."""

    def __init__(self, breaks_at: int | None = None) -> None:
        self.sizes: list[int] = []
        self._breaks_at = breaks_at

    def __call__(self, session: Session, numbers: Sequence[int]) -> list[int | EcshopError]:
        self.sizes.append(len(numbers))
        _add(session, *(str(number) for number in numbers))
        if self._breaks_at in numbers:
            raise ValueError("broken")
        return [number // 2 if number % 2 == 0 else OddNumber(f"{number} is odd") for number in numbers]


async def _all_at_once(database: Database, work: Halving, numbers: Sequence[int]) -> list[Result]:
    return await asyncio.gather(*(database.write_many(work, number) for number in numbers), return_exceptions=True)


async def test_what_was_written_can_be_read(database: Database) -> None:
    await database.write(_add, "Tea", "Coffee")
    assert await database.read(_names) == ["Tea", "Coffee"]


async def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ValueError, match="after the row was written"):
        await database.write(_add_and_fail, "Tea")
    assert await database.read(_names) == []


async def test_a_failed_write_does_not_spoil_the_next_one(database: Database) -> None:
    await database.write(_add, "Tea")
    with pytest.raises(IntegrityError):
        await database.write(_add, "Coffee", "Tea")
    await database.write(_add, "Cocoa")
    assert await database.read(_names) == ["Tea", "Cocoa"]


async def test_writes_that_come_together_are_transactions_of_their_own(database: Database) -> None:
    results = await asyncio.gather(
        database.write(_add, "Tea"), database.write(_add_and_fail, "Coffee"), return_exceptions=True
    )
    assert results[0] is None
    assert isinstance(results[1], ValueError)
    assert await database.read(_names) == ["Tea"]


async def test_a_batch_does_what_waits_together_in_one_call(database: Database) -> None:
    work = Halving()
    numbers = range(0, 100, 2)
    assert await _all_at_once(database, work, numbers) == [number // 2 for number in numbers]
    assert work.sizes == [50]


async def test_only_what_waits_for_the_same_function_is_done_together(database: Database) -> None:
    some, others = Halving(), Halving()
    await asyncio.gather(
        *(database.write_many(some, number) for number in (2, 4, 6)),
        *(database.write_many(others, number) for number in (8, 10)),
    )
    assert (some.sizes, others.sizes) == ([3], [2])


async def test_what_is_refused_in_a_batch_is_told_to_its_own_caller_only(database: Database) -> None:
    work = Halving()
    one, refused, three = await _all_at_once(database, work, [2, 3, 4])
    assert (one, three) == (1, 2)
    assert isinstance(refused, OddNumber)
    assert refused.detail == "3 is odd"
    assert work.sizes == [3]


async def test_a_failing_item_does_not_fail_its_neighbours(database: Database) -> None:
    work = Halving(breaks_at=6)
    results = await _all_at_once(database, work, [2, 4, 6, 8])
    assert [*results[:2], results[3]] == [1, 2, 4]
    assert isinstance(results[2], ValueError)


async def test_a_failed_batch_is_rolled_back_and_served_one_by_one(database: Database) -> None:
    work = Halving(breaks_at=6)
    await _all_at_once(database, work, [2, 4, 6, 8])
    assert work.sizes == [4, 1, 1, 1, 1]
    assert await database.read(_names) == ["2", "4", "8"]


async def test_a_caller_that_gives_up_does_not_fail_its_neighbours(database: Database) -> None:
    work = Halving()
    impatient, patient = (asyncio.ensure_future(database.write_many(work, number)) for number in (2, 4))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == 2


async def test_a_look_up_does_what_waits_together_in_one_call(database: Database) -> None:
    sizes: list[int] = []
    await database.write(_add, "Tea", "Coffee")

    def ids_of(session: Session, names: Sequence[str]) -> list[int | EcshopError]:
        sizes.append(len(names))
        found = {row.name: row.id for row in session.scalars(select(CategoryRow).where(CategoryRow.name.in_(names)))}
        return [found.get(name, OddNumber(name)) for name in names]

    asked = ["Coffee", "Tea", "Water", "Coffee"]
    results = await asyncio.gather(*(database.read_many(ids_of, name) for name in asked), return_exceptions=True)
    assert [*results[:2], results[3]] == [2, 1, 2]
    assert isinstance(results[2], OddNumber)
    assert sizes == [4]


async def test_a_database_that_fails_is_unavailable(database: Database) -> None:
    with pytest.raises(Unavailable):
        await database.read(lambda session: session.execute(text("SELECT * FROM nowhere")))


async def test_a_commit_is_told_to_those_who_wait_for_it(database: Database) -> None:
    commits: list[str] = []
    database.on_commit.append(lambda: commits.append("committed"))
    await database.read(_names)
    assert commits == []
    await database.write(_add, "Tea")
    assert commits == ["committed"]
    await database.write_many(Halving(), 2)
    assert commits == ["committed", "committed"]


async def test_sqlite_is_set_up_to_lose_nothing(database: Database) -> None:
    def pragmas(session: Session) -> list[object]:
        return [
            session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    everything = ["wal", 2, 1, 5000]
    assert await database.read(pragmas) == everything
    assert await database.write(pragmas) == everything


async def test_closing_finishes_what_was_asked_before(open_database: OpenDatabase) -> None:
    database = open_database()
    writes = [asyncio.ensure_future(database.write(_add, str(number))) for number in range(20)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*writes) == [None] * 20


async def test_a_closed_database_is_unavailable(open_database: OpenDatabase) -> None:
    database = open_database()
    await database.close()
    for ask in (database.read(_names), database.write(_add, "Tea"), database.write_many(Halving(), 2)):
        with pytest.raises(Unavailable):
            await ask


async def test_a_closed_database_has_folded_its_log_into_the_file(open_database: OpenDatabase, tmp_path: Path) -> None:
    database = open_database()
    await database.write(_add, "Tea")
    await database.close()
    assert _files(tmp_path) == ["shop.db", "shop.db.lock"]


def _files(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_a_second_owner_is_refused_and_told_of_the_first(open_database: OpenDatabase, tmp_path: Path) -> None:
    _left_by_an_earlier_owner(tmp_path / "shop.db.lock")
    first = open_database()
    with pytest.raises(FileInUse, match=rf"shop\.db is in use by the server with process id {os.getpid()} or by "):
        open_database()
    await first.write(_add, "Tea")
    assert await first.read(_names) == ["Tea"]


def _left_by_an_earlier_owner(lock: Path) -> None:
    lock.write_text("1234567890123")


async def test_a_file_can_be_owned_again_after_a_close(open_database: OpenDatabase) -> None:
    first = open_database()
    await first.write(_add, "Tea")
    await first.close()
    assert await open_database().read(_names) == ["Tea"]


@contextmanager
def _another_process_owning(url: str) -> Iterator[subprocess.Popen[str]]:
    owning = (
        "import sys\n"
        "from ecshop.kernel.db.engine import ownership\n"
        "with ownership(sys.argv[1]):\n"
        "    print('mine', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", owning, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mine\n"
        yield process
        process.kill()


async def test_a_killed_owner_leaves_no_lock(open_database: OpenDatabase, tmp_path: Path) -> None:
    with _another_process_owning(f"sqlite:///{tmp_path}/shop.db") as owner:
        with pytest.raises(FileInUse, match=f"process id {owner.pid} or by what it left running;"):
            open_database()
        owner.kill()
        owner.wait(DEADLINE)
        assert await open_database().read(_names) == []


async def test_a_guest_writes_beside_the_owner(open_database: OpenDatabase) -> None:
    owner, guest = open_database(), open_database(guest=True)
    await asyncio.gather(
        *(owner.write(_add, f"owner {n}") for n in range(20)), *(guest.write(_add, f"guest {n}") for n in range(20))
    )
    written = sorted([f"{who} {n}" for who in ("owner", "guest") for n in range(20)])
    assert sorted(await owner.read(_names)) == sorted(await guest.read(_names)) == written


async def test_a_write_sees_what_the_others_have_written_and_loses_none_of_it(open_database: OpenDatabase) -> None:
    def count_up(session: Session) -> None:
        _add(session, f"number {len(_names(session))}")

    owner, guest = open_database(), open_database(guest=True)
    await asyncio.gather(*(database.write(count_up) for _ in range(20) for database in (owner, guest)))
    assert await owner.read(_names) == [f"number {n}" for n in range(40)]


async def test_a_guest_leaves_the_owners_log_alone(open_database: OpenDatabase) -> None:
    open_database()
    guest = open_database(guest=True)
    assert await guest.write(lambda session: session.scalar(text("PRAGMA wal_autocheckpoint"))) == 0


async def test_a_guest_migrates_nothing(open_database: OpenDatabase) -> None:
    guest = open_database(guest=True)
    assert await guest.read(lambda session: schema_version(session.connection())) is None


async def test_an_owner_may_come_while_a_guest_is_there(open_database: OpenDatabase) -> None:
    guest = open_database(guest=True)
    owner = open_database()
    await guest.write(_add, "Tea")

    async def seen() -> bool:
        return await owner.read(_names) == ["Tea"]

    await eventually(seen)

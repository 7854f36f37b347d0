"""A database file has one owner, and guests beside it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ecshop.kernel.db.schema_version import schema_version
from ecshop.kernel.file_lock import FileInUse
from tests.unit.notes import OpenDatabase, add, texts
from tests.waiting import DEADLINE, eventually_async

pytestmark = [pytest.mark.anyio, pytest.mark.sqlite_only]


async def test_a_second_owner_is_refused_and_told_of_the_first(open_database: OpenDatabase, tmp_path: Path) -> None:
    _left_by_an_earlier_owner(tmp_path / "shop.db.lock")
    first = open_database()
    with pytest.raises(FileInUse, match=rf"shop\.db is in use by the server with process id {os.getpid()} or by "):
        open_database()
    await first.write(add, "Tea")
    assert await first.read(texts) == ["Tea"]


def _left_by_an_earlier_owner(lock: Path) -> None:
    lock.write_text("1234567890123")


async def test_a_file_can_be_owned_again_after_a_close(open_database: OpenDatabase) -> None:
    first = open_database()
    await first.write(add, "Tea")
    await first.close()
    assert await open_database().read(texts) == ["Tea"]


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
        assert await open_database().read(texts) == []


async def test_a_guest_writes_beside_the_owner(open_database: OpenDatabase) -> None:
    owner, guest = open_database(), open_database(guest=True)
    await asyncio.gather(
        *(owner.write(add, f"owner {n}") for n in range(20)), *(guest.write(add, f"guest {n}") for n in range(20))
    )
    written = sorted([f"{who} {n}" for who in ("owner", "guest") for n in range(20)])
    assert sorted(await owner.read(texts)) == sorted(await guest.read(texts)) == written


async def test_a_write_sees_what_the_others_have_written_and_loses_none_of_it(open_database: OpenDatabase) -> None:
    def count_up(session: Session) -> None:
        add(session, f"number {len(texts(session))}")

    owner, guest = open_database(), open_database(guest=True)
    await asyncio.gather(*(database.write(count_up) for _ in range(20) for database in (owner, guest)))
    assert await owner.read(texts) == [f"number {n}" for n in range(40)]


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
    await guest.write(add, "Tea")

    await eventually_async(lambda: owner.read(texts), ["Tea"])

"""What must outlive a failure: the database's threads, background work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Unavailable
from tests.unit.notes import MIGRATIONS

pytestmark = pytest.mark.anyio


async def test_a_thread_that_cannot_connect_says_so_to_each_caller(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere/shop.db", guest=True)
    database.open(MIGRATIONS)
    try:
        async with asyncio.timeout(10):
            for _ in range(3):
                with pytest.raises(Unavailable):
                    await database.write(lambda _: None)
    finally:
        await database.close()


async def test_what_was_asked_in_the_turn_of_the_closing_is_answered(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/shop.db")
    database.open(MIGRATIONS)
    async with asyncio.timeout(10):
        answer, _ = await asyncio.gather(database.read(lambda _: "answered"), database.close())
    assert answer == "answered"


async def test_too_few_outcomes_fail_their_callers_and_commit_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/shop.db")
    database.open(MIGRATIONS)

    def forgetful(_: Session, items: Any) -> list[Any]:
        return []

    try:
        async with asyncio.timeout(10):
            outcomes = await asyncio.gather(
                *(database.write_many(forgetful, n) for n in range(3)), return_exceptions=True
            )
    finally:
        await database.close()
    assert [type(outcome) for outcome in outcomes] == [TypeError] * 3


async def test_a_locked_database_makes_nobody_wait_for_another_ones_time_out(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/shop.db")
    database.open(MIGRATIONS)
    tried: list[int] = []

    def locked(_: Session, items: Any) -> list[Any]:
        tried.append(len(items))
        raise Unavailable("the database did not answer")

    try:
        outcomes = await asyncio.gather(*(database.write_many(locked, n) for n in range(20)), return_exceptions=True)
    finally:
        await database.close()
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 20
    assert tried == [20, 1]


def test_many_makers_of_the_key_in_one_process_agree(tmp_path: Path) -> None:
    async def make_all() -> set[str]:
        makers = (asyncio.to_thread(lambda: signing_key_in(tmp_path / "data").public.kid) for _ in range(8))
        return set(await asyncio.gather(*makers))

    assert len(asyncio.run(make_all())) == 1

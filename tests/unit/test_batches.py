"""Waiting work is done together, and its outcomes are told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import EcshopError
from tests.unit.notes import Halving, Note, OddNumber, add, texts

pytestmark = pytest.mark.anyio

Result = int | BaseException


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


async def test_what_fails_takes_nothing_from_others_that_wait_with_it(database: Database) -> None:
    def fail(session: Session) -> None:
        add(session, "half of it")
        raise OddNumber("no")

    work = Halving(breaks_at=6)
    results = await asyncio.gather(
        database.write(add, "before"),
        database.write(fail),
        *(database.write_many(work, number) for number in (4, 6)),
        database.write(add, "after"),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), OddNumber, int, ValueError, type(None)]
    assert sorted(await database.read(texts)) == ["4", "after", "before"]


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
    assert await database.read(texts) == ["2", "4", "8"]


async def test_a_caller_that_gives_up_does_not_fail_its_neighbours(database: Database) -> None:
    work = Halving()
    impatient, patient = (asyncio.ensure_future(database.write_many(work, number)) for number in (2, 4))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == 2


async def test_a_look_up_does_what_waits_together_in_one_call(database: Database) -> None:
    sizes: list[int] = []
    await database.write(add, "Tea", "Coffee")

    def ids_of(session: Session, names: Sequence[str]) -> list[int | EcshopError]:
        sizes.append(len(names))
        found = {row.text: row.id for row in session.scalars(select(Note).where(Note.text.in_(names)))}
        return [found.get(name, OddNumber(name)) for name in names]

    asked = ["Coffee", "Tea", "Water", "Coffee"]
    results = await asyncio.gather(*(database.read_many(ids_of, name) for name in asked), return_exceptions=True)
    assert [*results[:2], results[3]] == [2, 1, 2]
    assert isinstance(results[2], OddNumber)
    assert sizes == [4]


async def _all_at_once(database: Database, work: Halving, numbers: Sequence[int]) -> list[Result]:
    return await asyncio.gather(*(database.write_many(work, number) for number in numbers), return_exceptions=True)

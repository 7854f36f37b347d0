"""Passwords take as long where there is no account as where there is one."""

from __future__ import annotations

import asyncio
import os
import time

import pytest
from argon2 import PasswordHasher

from ecshop.auth.passwords import Passwords
from ecshop.kernel.deadline import Deadline, deadline
from ecshop.kernel.errors import Aborted

pytestmark = pytest.mark.anyio

ROUNDS = 5


async def test_a_name_that_nobody_has_takes_as_long_as_a_wrong_password() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse battery")

    async def cost(kept: str | None) -> float:
        begun = time.process_time()
        assert not await passwords.match(kept, "a wrong one")
        return time.process_time() - begun

    wrong = min([await cost(stored) for _ in range(ROUNDS)])
    unknown = min([await cost(None) for _ in range(ROUNDS)])
    assert 0.7 < unknown / wrong < 1.4


async def test_only_the_password_itself_matches() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse battery")
    assert await passwords.match(stored, "correct horse battery")
    assert not await passwords.match(stored, "correct horse batterz")


async def test_a_hash_of_earlier_parameters_is_known_as_one() -> None:
    passwords = Passwords()
    assert passwords.is_outdated(PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash("x"))
    assert not passwords.is_outdated(await passwords.hash("x"))


async def test_few_wait_for_a_turn_and_the_others_are_refused_at_once() -> None:
    passwords = Passwords()
    cores = os.cpu_count() or 1
    outcomes = await asyncio.gather(
        *(passwords.match(None, "guess") for _ in range(20 * cores)), return_exceptions=True
    )
    assert outcomes.count(False) == 17 * cores
    assert all(isinstance(one, Aborted) for one in outcomes if one is not False)


async def test_no_crowd_of_strangers_is_in_the_way_of_those_who_have_been_here_before() -> None:
    passwords = Passwords()
    stored = await passwords.hash("correct horse battery")
    crowd = [asyncio.create_task(passwords.match(None, "guess")) for _ in range(20 * (os.cpu_count() or 1))]
    await asyncio.sleep(0)
    assert await passwords.match(stored, "correct horse battery", is_known=True)
    assert not all(one.done() for one in crowd)
    await asyncio.gather(*crowd, return_exceptions=True)


async def test_whoever_has_gone_gets_no_turn() -> None:
    passwords, gone = Passwords(), Deadline(10)
    before = deadline.set(gone)
    gone.give_up()
    with pytest.raises(Aborted, match="before it began"):
        await passwords.match(None, "guess")
    deadline.reset(before)

"""Passwords take as long where there is no account as where there is one."""

from __future__ import annotations

import time

import pytest

from ecshop.auth.passwords import Passwords

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

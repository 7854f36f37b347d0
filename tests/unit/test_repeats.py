"""How long a request with an idempotency key is remembered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from ecshop.events.repeats import once
from ecshop.events.tables import Answer
from ecshop.kernel.clock import now
from ecshop.kernel.conditions import Repeat
from ecshop.kernel.db.database import Database
from ecshop.kernel.values import Page
from tests.unit.test_purge import purging
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio


async def test_an_answer_is_kept_for_a_week(database: Database) -> None:
    calls: list[str] = []

    def answer(_: Session, name: str) -> Page[str]:
        calls.append(name)
        return Page((name,), None)

    async def ask(name: str) -> Page[str]:
        return await database.write(once, Repeat(name.encode() * 32, b"f" * 32), Page[str], answer, name)

    def age(session: Session) -> None:
        for name, days in (("o", 8), ("n", 6)):
            made = update(Answer).where(Answer.key == name.encode() * 32)
            session.execute(made.values(made_at=now() - timedelta(days=days)))

    async def is_forgotten() -> bool:
        def look(session: Session) -> bool:
            return session.get(Answer, b"o" * 32) is None

        return await database.read(look)

    assert [(await ask(name)).items for name in "onon"] == [("o",), ("n",), ("o",), ("n",)]
    assert calls == ["o", "n"]
    await database.write(age)
    async with purging(database, every=0.01):
        await eventually_async(is_forgotten, True)
    assert [(await ask(name)).items for name in "on"] == [("o",), ("n",)]
    assert calls == ["o", "n", "o"]

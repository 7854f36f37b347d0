"""Background work: repeated until it is cancelled, and patient with what is away."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from ecshop.events.backoff import repeat
from ecshop.kernel.errors import Unavailable

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _logs_of_this_test() -> None:
    structlog.reset_defaults()


class Step:
    """Is away for some turns, then does its work, and cancels its loop at the last."""

    def __init__(self, away: int, turns: int, *reasons: str) -> None:
        self._away, self._turns = away, turns
        self._reasons = iter(reasons)
        self.tries = 0

    async def __call__(self) -> None:
        self.tries += 1
        if self.tries <= self._away:
            raise Unavailable(next(self._reasons, "gone for tea"))
        if self.tries == self._turns:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()


async def test_what_is_away_is_waited_for_and_said_once() -> None:
    step = Step(away=3, turns=5)
    with capture_logs() as logs:
        await asyncio.wait([asyncio.create_task(repeat(step, "the kettle"))], timeout=20)
    assert step.tries == 5
    assert [(line["log_level"], line["who"]) for line in logs] == [("warning", "the kettle"), ("info", "the kettle")]
    assert logs[0]["error"] == "gone for tea"


async def test_another_reason_why_it_is_away_is_said_too() -> None:
    step = Step(5, 6, "no water", "no water", "no power")
    with capture_logs() as logs:
        await asyncio.wait([asyncio.create_task(repeat(step, "the kettle"))], timeout=20)
    assert [line["error"] for line in logs if "error" in line] == ["no water", "no power", "gone for tea"]


async def test_a_step_that_swallows_its_cancellation_is_not_repeated() -> None:
    step = Step(away=0, turns=2)
    task = asyncio.create_task(repeat(step, "the kettle"))
    await asyncio.wait([task], timeout=20)
    assert step.tries == 2


async def test_any_other_failure_is_said_with_its_cause_and_tried_again() -> None:
    tries = iter(range(3))

    async def broken() -> None:
        if next(tries, None) is None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        else:
            raise ZeroDivisionError

    with capture_logs() as logs:
        await asyncio.wait([asyncio.create_task(repeat(broken, "the kettle"))], timeout=20)
    failed = [line for line in logs if line["log_level"] == "error"]
    assert [type(line["exc_info"]) for line in failed] == [ZeroDivisionError] * 3

"""What many pages of the console show is written as often as the shop can afford."""

from __future__ import annotations

import asyncio

import pytest

from ecshop.web.console.moving import Board

pytestmark = pytest.mark.anyio


class Writer:
    """Whose writing takes some seconds, by the only clock that there is."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.time, self.texts = seconds, 100.0, 0

    async def write(self) -> str:
        self.time += self.seconds
        self.texts += 1
        return f"text {self.texts}"


@pytest.mark.parametrize(("seconds", "pause"), [(0.0, 1.0), (0.01, 1.0), (0.02, 2.0), (0.05, 5.0), (3.0, 5.0)], ids=str)
async def test_the_longer_it_takes_the_less_often_it_is_written(seconds: float, pause: float) -> None:
    writer = Writer(seconds)
    board = Board(asyncio.Event(), lambda: writer.time)
    began = writer.time
    assert await board.written("here", writer.write) == "text 1"
    writer.time = began + pause - 0.01
    assert await board.written("here", writer.write) == "text 1"
    writer.time = began + pause + 0.01
    assert await board.written("here", writer.write) == "text 2"


async def test_many_who_ask_at_a_time_get_what_is_written_once() -> None:
    writer = Writer(0.0)
    board = Board(asyncio.Event(), lambda: writer.time)
    assert {*await asyncio.gather(*(board.written("here", writer.write) for _ in range(9)))} == {"text 1"}
    assert await board.written("there", writer.write) == "text 2"

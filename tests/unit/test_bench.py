"""The bench's own parts: a figure is worth as much as what measures it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from itertools import cycle
from pathlib import Path

import pytest

from bench.batches import Orders
from bench.goods import CATEGORIES, Good, goods, is_sold_out
from bench.load import Load, Request, percentile, run
from entrypoints.settings import Settings
from tests.databases import Databases, for_a_shop

pytestmark = pytest.mark.anyio

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
ANSWER_OF_A_GATEWAY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
STALL = 0.25  # seconds
STATEMENTS = {"reserve": 4, "record": 4, "relay": 2, "apply": 8, "confirm": 2}
"""What `docs/scaling.md` reckons round trips with."""

Answer = Callable[[], Awaitable[None]]


@asynccontextmanager
async def server(before_answer: Answer, answer: bytes = ANSWER) -> AsyncIterator[int]:
    """Answers each request after that; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await before_answer()
            writer.write(answer)

    async def until_it_closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await asyncio.start_server(until_it_closes, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def at_once() -> None:
    pass


class StallsOnce:
    """The first request that it is asked makes everybody wait."""

    def __init__(self) -> None:
        self._ends = 0.0

    async def __call__(self) -> None:
        self._ends = self._ends or time.monotonic() + STALL
        while time.monotonic() < self._ends:
            await asyncio.sleep(0.005)


async def test_a_load_without_a_rate_is_as_fast_as_its_answers() -> None:
    async with server(at_once) as port:
        result = await run(Load(port, (Request("GET", "/"),), clients=2, seconds=5, most=100))
    assert result.answers == {200: 100}


async def test_the_length_of_an_answer_is_found_however_its_name_is_written() -> None:
    async with server(at_once, ANSWER_OF_A_GATEWAY) as port:
        result = await run(Load(port, (Request("GET", "/"),), clients=2, seconds=5, most=100))
    assert result.answers == {200: 100}


async def test_a_load_at_a_rate_sends_as_many_requests_as_were_due() -> None:
    async with server(at_once) as port:
        result = await run(Load(port, (Request("GET", "/"),), clients=4, seconds=0.5, rate=200))
    assert result.answers == {200: 100}


async def test_what_a_stall_holds_up_is_late_although_it_is_sent_after_the_stall() -> None:
    """One client, so that only one request is on its way while nothing is answered."""
    async with server(StallsOnce()) as port:
        result = await run(Load(port, (Request("GET", "/"),), clients=1, seconds=1.5 * STALL, rate=200))
    assert result.p50 > 1000 * STALL / 10
    assert result.answers == {200: 75}


async def test_the_same_stall_is_one_late_request_of_a_load_without_a_rate() -> None:
    async with server(StallsOnce()) as port:
        result = await run(Load(port, (Request("GET", "/"),), clients=1, seconds=5, most=200))
    assert result.p50 < 1000 * STALL / 10


async def test_latencies_are_told_by_the_names_of_the_requests() -> None:
    turns = cycle((0.0, 0.02))

    async def second_is_slow() -> None:
        await asyncio.sleep(next(turns))

    requests = (Request("GET", "/quick", name="quick"), Request("GET", "/slow", name="slow"))
    async with server(second_is_slow) as port:
        result = await run(Load(port, requests, clients=1, seconds=5, most=20))
    assert result.named["slow"].p50 > 20 > result.named["quick"].p50


@pytest.mark.parametrize("orders", [1, 8])
def test_the_transactions_of_orders_take_as_many_statements_as_the_page_on_scaling_says(
    databases: Databases, tmp_path: Path, orders: int
) -> None:
    settings = Settings(data_dir=str(tmp_path), database_url=for_a_shop(databases, migrated=False))
    with closing(Orders(settings)) as placed:
        costs = placed.measure(products=2, size=orders, seconds=0)
    assert {step: cost.statements for step, cost in costs.items()} == STATEMENTS


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.5, 51), (0.99, 100), (1, 100)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert percentile(range(1, 101), share) == value


def test_goods_are_the_same_each_time_and_the_first_of_more_are_those_of_fewer() -> None:
    assert list(goods(50)) == list(goods(100))[:50]


def test_half_of_the_goods_are_japanese() -> None:
    assert 0.4 < share_of(lambda good: not good.name.isascii()) < 0.6


def test_goods_have_details_of_some_hundred_characters_and_are_in_all_categories() -> None:
    assert {good.category for good in goods(2000)} == set(range(len(CATEGORIES)))
    assert all(50 <= len(good.detail) <= 500 for good in goods(2000))


def test_a_few_per_cent_of_the_goods_are_sold_out() -> None:
    assert 0.02 < sum(map(is_sold_out, range(1, 2001))) / 2000 < 0.05


def share_of(is_it: Callable[[Good], bool]) -> float:
    return sum(map(is_it, goods(2000))) / 2000

"""Calls to a neighbour that wait together go together, and come back apart."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import httpx
import pytest
import uvicorn
from litestar import post
from litestar.params import JSONBody
from msgspec import Meta

from bench.patient import PATIENCE
from ecshop.kernel.deadline import Deadline, deadline
from ecshop.kernel.errors import Aborted, EcshopError, Unavailable
from ecshop.kernel.http import together
from ecshop.kernel.http.app import create_app
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.http.together import MOST_ITEMS, Item, Outcome, Together, serve_each
from ecshop.kernel.telemetry.logs import request_id
from ecshop.kernel.tokens import Verifier
from entrypoints.listening import listening_socket
from tests.unit.notes import OddNumber
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio

PATH: Final = "/internal/halves"


class Number(Item):
    number: int


Numbers = Annotated[tuple[Number, ...], Meta(min_length=1, max_length=MOST_ITEMS)]


class Neighbour:
    """Halves numbers, and remembers how many came at a time and in whose name; holds its answers back when told to."""

    def __init__(self, verifier: Verifier) -> None:
        self.sizes: list[int] = []
        self.names: dict[int, str] = {}
        self.answers = asyncio.Event()
        self.answers.set()

        @post(PATH, status_code=200)
        async def halve(data: JSONBody[Numbers]) -> list[Outcome]:
            self.sizes.append(len(data))
            await self.answers.wait()
            return await serve_each("halve", data, self._halve)

        self.app: Any = create_app(
            [halve], {}, _nothing, _no_metrics, verifier, title="t", tags={}, request_seconds=10, max_requests=1000
        )

    async def requests(self) -> int:
        return len(self.sizes)

    async def _halve(self, item: Number) -> int:
        self.names[item.number] = request_id.get()
        if item.number == 13:
            raise ZeroDivisionError
        if item.number % 2:
            raise OddNumber(f"{item.number} is odd")
        return item.number // 2


async def _nothing() -> dict[str, str]:
    return {}


async def _no_metrics(_accept: str) -> tuple[bytes, str]:
    return b"", "text/plain"


@pytest.fixture
async def neighbour(verifier: Verifier) -> Neighbour:
    return Neighbour(verifier)


@pytest.fixture
async def halves(neighbour: Neighbour) -> AsyncIterator[Together[int]]:
    with listening_socket("127.0.0.1", 0) as listening:
        async with _served(neighbour.app, listening), _remote(listening) as remote:
            yield Together(remote, PATH, int)
            neighbour.answers.set()


@asynccontextmanager
async def _served(app: Any, listening: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield
    server.should_exit = True
    await serving


@asynccontextmanager
async def _remote(listening: socket.socket) -> AsyncIterator[Remote]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=PATIENCE) as http:
        yield Remote(http)


async def _ask(halves: Together[int], number: int, seconds: float = 10) -> int:
    request_id.set(f"request-{number}")
    deadline.set(Deadline(seconds))
    return await halves.call(Number(number=number))


async def _ask_all(halves: Together[int], numbers: Sequence[int], seconds: float = 10) -> list[int | BaseException]:
    asking = [asyncio.create_task(_ask(halves, number, seconds)) for number in numbers]
    return await asyncio.gather(*asking, return_exceptions=True)


async def test_items_succeed_and_fail_apart(halves: Together[int], neighbour: Neighbour) -> None:
    two, seven, thirteen, eight = await _ask_all(halves, [4, 7, 13, 16])
    assert (two, eight) == (2, 8)
    assert isinstance(seven, OddNumber)
    assert seven.detail == "7 is odd"
    assert isinstance(thirteen, EcshopError)
    assert neighbour.sizes == [4]


async def test_each_item_keeps_the_id_of_its_request(halves: Together[int], neighbour: Neighbour) -> None:
    await _ask_all(halves, [2, 4, 6])
    assert neighbour.names == {number: f"request-{number}" for number in (2, 4, 6)}


async def test_a_call_waits_for_no_other_to_come(halves: Together[int], neighbour: Neighbour) -> None:
    neighbour.answers.clear()
    first = asyncio.create_task(_ask(halves, 2))
    await eventually_async(neighbour.requests, 1)
    second = asyncio.create_task(_ask(halves, 4))
    await eventually_async(neighbour.requests, 2)
    neighbour.answers.set()
    assert (await first, await second) == (1, 2)
    assert neighbour.sizes == [1, 1]


async def test_five_hundred_that_wait_make_a_handful_of_requests(halves: Together[int], neighbour: Neighbour) -> None:
    numbers = range(0, 1000, 2)
    neighbour.answers.clear()
    early = [asyncio.create_task(_ask(halves, 2)) for _ in range(2)]
    await eventually_async(neighbour.requests, 1)
    waiting = asyncio.create_task(_ask_all(halves, numbers))
    await asyncio.sleep(0)
    neighbour.answers.set()
    assert await waiting == [number // 2 for number in numbers]
    assert await asyncio.gather(*early) == [1, 1]
    assert len(neighbour.sizes) <= 5
    assert max(neighbour.sizes) <= MOST_ITEMS


async def test_whoever_goes_away_takes_nothing_from_the_others(halves: Together[int], neighbour: Neighbour) -> None:
    neighbour.answers.clear()
    tasks = [asyncio.create_task(_ask(halves, number)) for number in (2, 4)]
    await eventually_async(neighbour.requests, 1)
    blocker = asyncio.create_task(_ask(halves, 6))
    await eventually_async(neighbour.requests, 2)
    late = [asyncio.create_task(_ask(halves, number)) for number in (8, 10)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    late[0].cancel()
    await asyncio.sleep(0)
    neighbour.answers.set()
    assert (await tasks[1], await blocker, await late[1]) == (2, 3, 5)
    assert 8 not in neighbour.names


async def test_a_neighbour_that_stands_still_fails_all_in_their_time(
    halves: Together[int], neighbour: Neighbour
) -> None:
    neighbour.answers.clear()
    began = time.monotonic()
    results = await _ask_all(halves, range(0, 1000, 2), seconds=0.5)
    assert {type(result) for result in results} <= {Unavailable, Aborted}
    assert time.monotonic() - began < 3


async def test_a_neighbour_that_is_not_there_has_been_sent_nothing() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with _remote(closed) as remote:
            results = await _ask_all(Together(remote, PATH, int), [2, 4])
    assert {type(result) for result in results} == {Aborted}


async def test_what_would_wait_for_too_long_is_refused_at_once(
    halves: Together[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "_MOST_WAITING", 100)
    results = await _ask_all(halves, [2] * 200)
    refused = [result for result in results if isinstance(result, Aborted)]
    assert results.count(1) == len(refused) == 100
    assert {error.detail for error in refused} == {"too much waits for another service; try again in a moment"}

"""Pages that are open are watched together: what all of them show is asked for at once, and each hears of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any
from uuid import UUID

import pytest

from ecshop.kernel.deadline import Deadline, deadline
from ecshop.kernel.identity import Actor
from ecshop.kernel.tokens import Verifier
from ecshop.order.contract import NewOrder, WantedLine
from ecshop.web.watch import Onlooker, Watch
from tests.contract.conftest import Doors

pytestmark = pytest.mark.anyio

PAGES = 30


class Counted:
    """A client, and how often it was asked how orders stand."""

    def __init__(self, client: Any) -> None:
        self._client, self.asked = client, 0

    async def statuses(self, actor: Actor, order_ids: Sequence[UUID]) -> Any:
        self.asked += 1
        return await self._client.statuses(actor, order_ids)


async def next_look(looks: AsyncIterator[Onlooker], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        await anext(looks)


async def test_one_reader_watches_all_open_pages_and_wakes_the_one_that_moved(doors: Doors) -> None:
    order, stopping = Counted(doors.order), asyncio.Event()
    watch = Watch(order, doors.stock, Verifier(doors.auth.jwks), stopping)  # type: ignore[arg-type] # it is all that is asked
    product, people = await doors.stocked(100), [doors.actor() for _ in range(PAGES)]
    placed = [(await doors.order.place(who, NewOrder((WantedLine(product, 1),)))).id for who in people]
    pages = [watch.looks(Onlooker(who, orders=[id_])) for who, id_ in zip(people, placed, strict=True)]
    for page in pages:
        await next_look(page)  # at once
    for page in pages:
        await next_look(page)  # once more, with the first reading
    resting = [asyncio.ensure_future(anext(page)) for page in pages]
    order.asked = 0
    await doors.order.cancel(people[7], placed[7])
    done, others = await asyncio.wait(resting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert done == {resting[7]}
    assert order.asked <= 3
    stopping.set()
    await asyncio.wait(others, timeout=10)
    assert all(isinstance(one.exception(), StopAsyncIteration) for one in others)


async def test_a_page_of_a_product_wakes_when_it_can_no_longer_be_bought(doors: Doors) -> None:
    watch = Watch(doors.order, doors.stock, Verifier(doors.auth.jwks), asyncio.Event())
    product, buyer = await doors.stocked(100), doors.actor()
    async with aclosing(watch.looks(Onlooker(None, products=[product]))) as looks:
        await next_look(looks)
        await next_look(looks)
        woken = asyncio.ensure_future(anext(looks))
        await doors.order.place(buyer, NewOrder((WantedLine(product, 1),)))
        assert not (await asyncio.wait([woken], timeout=2.5))[0]
        await doors.order.place(buyer, NewOrder((WantedLine(product, 99),)))
        assert (await asyncio.wait([woken], timeout=10))[0]


async def test_pages_move_though_the_first_one_that_was_open_is_closed(doors: Doors) -> None:
    watch = Watch(doors.order, doors.stock, Verifier(doors.auth.jwks), asyncio.Event())
    product, its_own = await doors.stocked(1), Deadline(60)
    outside = deadline.set(its_own)
    first = watch.looks(Onlooker(None, products=[await doors.stocked(1)]))
    await next_look(first)
    deadline.reset(outside)
    async with aclosing(watch.looks(Onlooker(None, products=[product]))) as looks:
        await next_look(looks)
        its_own.give_up()
        await first.aclose()
        await next_look(looks)  # once more, with the first reading
        await doors.order.place(doors.actor(), NewOrder((WantedLine(product, 1),)))
        await next_look(looks)


async def test_a_page_whose_session_has_ended_wakes_and_is_not_asked_for(doors: Doors) -> None:
    order = Counted(doors.order)
    watch = Watch(order, doors.stock, Verifier(doors.auth.jwks), asyncio.Event())  # type: ignore[arg-type] # as above
    gone = Actor(doors.actor().user_id, doors.actor().role, "a token that is none")
    async with aclosing(watch.looks(Onlooker(gone, orders=[UUID(int=1)]))) as looks:
        for _ in range(4):
            await next_look(looks)
    assert order.asked == 0

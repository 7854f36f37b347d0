"""People who have pages open that move: orders of theirs, products, and the console."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import chain, repeat
from typing import Final
from uuid import uuid4

import httpx
from anyio import create_task_group, sleep
from anyio.abc import TaskStatus
from anyio.from_thread import start_blocking_portal

from bench import patient
from bench.server import Server
from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role

_COOKIE: Final = "__Host-access"
_CUSTOMERS: Final = 5
_ORDERS: Final = 10
"""Open with each of the customers, which is as many pages as one may have that move."""
_PRODUCTS: Final = 30
_STAFF: Final = 2
_OF_THE_CONSOLE: Final = 5
"""Of its overview, and of its list of events, with each of the staff."""
PAGES: Final = _CUSTOMERS * _ORDERS + _PRODUCTS + 2 * _STAFF * _OF_THE_CONSOLE
_SETTLED_AFTER: Final = 3.0  # seconds


@contextmanager
def watching(server: Server) -> Iterator[None]:
    """`PAGES` are open while the context lasts. Raises an `ExceptionGroup` where one does not open, or ends."""
    pages = [*_pages_of(server)]
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(_watched(server.url("order"), pages)):
        yield


@asynccontextmanager
async def _watched(base: str, pages: Sequence[tuple[str, str]]) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=base, timeout=None, limits=limits) as http, create_task_group() as tasks:
        for page, cookie in pages:
            await tasks.start(_read, http, page, cookie)
        await sleep(_SETTLED_AFTER)
        yield
        tasks.cancel_scope.cancel()


async def _read(http: httpx.AsyncClient, page: str, cookie: str, *, task_status: TaskStatus[None]) -> None:
    async with http.stream("GET", page, headers={"cookie": cookie}) as answer:
        answer.raise_for_status()
        task_status.started()
        async for _ in answer.aiter_raw():
            pass
    raise RuntimeError(f"{page} has ended")


def _pages_of(server: Server) -> Iterator[tuple[str, str]]:
    """Where each is, and whose cookie it is asked for with."""
    key = signing_key_in(server.folder)
    for _ in range(_CUSTOMERS):
        token = key.token_for_user(uuid4(), Role.CUSTOMER, 3600)
        for product_id in range(1, _ORDERS + 1):
            answer = patient.post(
                f"{server.url('order')}/orders",
                json={"lines": [{"product_id": product_id, "quantity": 1}]},
                headers={"authorization": f"Bearer {token}"},
            )
            yield f"/shop/orders/{answer.raise_for_status().json()['id']}/live", f"{_COOKIE}={token}"
    for product_id in range(1, _PRODUCTS + 1):
        yield f"/shop/products/{product_id}/live", ""
    for _ in range(_STAFF):
        token = key.token_for_user(uuid4(), Role.ADMIN, 3600)
        for page in chain(repeat("/console/live", _OF_THE_CONSOLE), repeat("/console/events/live", _OF_THE_CONSOLE)):
            yield page, f"{_COOKIE}={token}"

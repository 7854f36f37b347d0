"""Buyers: their orders, how fast these are answered, and how fast they are applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

from bench import wrk
from bench.audit import Applied
from bench.load import Request, Result
from bench.server import Server
from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role

BUYERS: Final = 64


class Bought(msgspec.Struct, frozen=True):
    load: Result
    applied: Applied
    cpu: float
    """Microseconds an order, of all processes, until its units have left the stock."""


def orders_of(folder: Path, products: Sequence[int]) -> list[Request]:
    """One order for each product, by buyers in turn."""
    key = signing_key_in(folder)
    tokens = [key.token_for_user(uuid4(), Role.CUSTOMER, 3600) for _ in range(BUYERS)]
    body = '{{"lines":[{{"product_id":{},"quantity":1}}]}}'
    turns = range(max(BUYERS, len(products)))
    return [
        Request("POST", "/orders", tokens[turn % BUYERS], body.format(products[turn % len(products)])) for turn in turns
    ]


def buy(server: Server, requests: Sequence[Request], seconds: float, *, rate: float = 0.0) -> Bought:
    """As fast as the buyers are answered, or at a `rate`. Raises `RuntimeError` where an order is refused."""
    last, cpu = server.books.last_event(), server.cpu_seconds()
    load = load_on(server, "order", requests, seconds, rate=rate)
    if set(load.answers) - {HTTPStatus.OK, HTTPStatus.CREATED}:
        raise RuntimeError(f"orders were refused: {load.answers}")
    applied = server.books.applied_since(last)
    return Bought(load, applied, (server.cpu_seconds() - cpu) / applied.orders * 1e6)


def load_on(server: Server, context: str, requests: Sequence[Request], seconds: float, *, rate: float = 0.0) -> Result:
    """Of all buyers; wrk has no rates."""
    if wrk.is_installed() and not rate:
        return wrk.load(server.ports[context], requests, BUYERS, seconds)
    return server.load(context, requests, BUYERS, seconds, rate=rate)


@contextmanager
def buying(server: Server, requests: Sequence[Request], buyers: int) -> Iterator[None]:
    """They order while the context lasts. Raises `RuntimeError` where they did not."""
    last = server.books.last_event()
    with server.loading("order", requests, buyers):
        yield
    if server.books.last_event() == last:
        raise RuntimeError("nobody ordered anything meanwhile")

"""Buyers: their orders, how fast these are answered, and how fast they are applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

import msgspec

from bench import wrk
from bench.audit import Applied, Books
from bench.load import Request, Result
from bench.server import Server
from ecshop.auth.key_file import signing_key_in
from ecshop.auth.keys import SigningKey
from ecshop.kernel.identity import Role

BUYERS: Final = 64


class Bought(msgspec.Struct, frozen=True):
    load: Result
    applied: Applied
    cpu: float
    """Microseconds an order, of all processes, until its units have left the stock."""


def orders_of(folder: Path, products: Sequence[int]) -> list[Request]:
    """One order for each product, by buyers in turn."""
    return orders_by(signing_key_in(folder), products)


def orders_by(key: SigningKey, products: Sequence[int]) -> list[Request]:
    """The same, of a shop that has this key."""
    tokens = [key.token_for_user(uuid4(), Role.CUSTOMER, 3600) for _ in range(BUYERS)]
    body = '{{"lines":[{{"product_id":{},"quantity":1}}]}}'
    turns = range(max(BUYERS, len(products)))
    return [
        Request("POST", "/orders", tokens[turn % BUYERS], body.format(products[turn % len(products)])) for turn in turns
    ]


class Shop(Protocol):
    """What is bought at: one process, or many behind a gateway."""

    books: Books
    ports: dict[str, int]

    def cpu_seconds(self) -> float: ...

    def load(
        self,
        context: str,
        requests: Sequence[Request],
        clients: int,
        seconds: float,
        most: int = 0,
        *,
        rate: float = 0.0,
    ) -> Result: ...


def buy(server: Shop, requests: Sequence[Request], seconds: float, *, rate: float = 0.0) -> Bought:
    """As fast as the buyers are answered, or at a `rate`. Raises `RuntimeError` where an order is refused."""
    last, cpu = server.books.last_event(), server.cpu_seconds()
    load = load_on(server, "order", requests, seconds, rate=rate)
    if set(load.answers) - {HTTPStatus.OK, HTTPStatus.CREATED}:
        raise RuntimeError(f"orders were refused: {load.answers}")
    applied = server.books.applied_since(last)
    return Bought(load, applied, (server.cpu_seconds() - cpu) / applied.orders * 1e6)


def load_on(server: Shop, context: str, requests: Sequence[Request], seconds: float, *, rate: float = 0.0) -> Result:
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

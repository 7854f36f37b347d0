"""Redis fails over to a replica under the same name, and the old one goes on answering: with errors only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import redis

from entrypoints.local.ports import free_port
from entrypoints.local.redis_server import redis_server
from tests.faults.test_redis import orders_all_the_while
from tests.shops import RunningShop, need_redis, shop_apart
from tests.waiting import eventually


class Name:
    """A port that stands for a name: it leads to one server and later to another, and no connection is moved by that.

    This is all of the network that is faked.
    """

    def __init__(self, listening: socket.socket, leads_to: int) -> None:
        self._listening, self.leads_to = listening, leads_to
        self.url = f"redis://127.0.0.1:{listening.getsockname()[1]}/0"

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self.leads_to))
                for here, there in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(here, there), daemon=True).start()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        """Until one side hangs up; the other one hears of it."""
        with here, suppress(OSError):
            while received := here.recv(65536):
                there.sendall(received)
        with suppress(OSError):
            there.shutdown(socket.SHUT_WR)


@contextmanager
def name_of(port: int) -> Iterator[Name]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        name = Name(listening, port)
        threading.Thread(target=name.serve, daemon=True).start()
        yield name


@pytest.fixture
def masters(tmp_path: Path) -> Iterator[tuple[redis.Redis, redis.Redis]]:
    """A Redis, and a replica of it."""
    need_redis()
    first, second = free_port(), free_port()
    with (
        redis_server(tmp_path / "first", first),
        redis_server(tmp_path / "second", second),
        closing(redis.Redis(port=first)) as master,
        closing(redis.Redis(port=second)) as replica,
    ):
        replica.replicaof("127.0.0.1", str(first))
        yield master, replica


def port_of(client: redis.Redis) -> int:
    port: int = client.connection_pool.connection_kwargs["port"]
    return port


def test_orders_go_on_and_their_events_arrive_after_a_failover(
    masters: tuple[redis.Redis, redis.Redis], tmp_path: Path
) -> None:
    """The old master says READONLY to whoever is still connected; only who asks for the name anew finds the new one."""
    old, new = masters
    with name_of(port_of(old)) as name, shop_apart(tmp_path / "shop", REDIS_URL=name.url) as shop:
        for _ in range(2):
            product = shop.new_product(stock=10)
            with orders_all_the_while(shop):
                _buy_one_more(shop, product)
                new.replicaof("NO", "ONE")
                old.replicaof("127.0.0.1", str(port_of(new)))
                name.leads_to = port_of(new)
                _buy_one_more(shop, product)
            old, new = new, old


def _buy_one_more(shop: RunningShop, product: int) -> None:
    """Its event takes it off the stock."""
    left, _ = shop.units(product)
    shop.order(product, 1).raise_for_status()
    eventually(lambda: shop.units(product), (left - 1, 0))

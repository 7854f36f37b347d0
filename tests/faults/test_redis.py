"""Redis killed, wiped or stopped, and a consumer killed, while orders are placed: nothing is lost, nothing twice."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import redis

from bench.load import Request
from entrypoints.local.ports import free_port
from entrypoints.local.redis_server import start_redis
from tests.shops import RunningShop, need_redis, shop_apart
from tests.waiting import eventually

UNITS = 10**6
STREAM = "ecshop:faulty:order"


class RedisProcess:
    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        self.process: subprocess.Popen[bytes] = start_redis(folder, self.port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def start(self) -> None:
        self.process = start_redis(self.folder, self.port)

    def holds(self, subject: str) -> bool:
        with redis.Redis(port=self.port) as client:
            return any(subject.encode() in fields[b"ce"] for _, fields in client.xrange(STREAM))

    def wipe(self) -> None:
        self.do("FLUSHALL")

    def do(self, *command: str) -> None:
        with redis.Redis(port=self.port) as client:
            client.execute_command(*command)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    need_redis()
    running = RedisProcess(tmp_path_factory.mktemp("broker") / "redis")
    yield running
    running.kill()


@pytest.fixture(scope="module")
def faulty(broker: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with shop_apart(tmp_path_factory.mktemp("faults"), REDIS_URL=broker.url, ECSHOP_SHOP_ID="faulty") as shop:
        yield shop


@contextmanager
def orders_all_the_while(shop: RunningShop) -> Iterator[None]:
    """Place orders one after the other while the context lasts; all of them must be accepted, and in the end applied.

    `applied_since` waits for each order's event to be in stock's inbox. What was taken off the stock must then be what
    was ordered: applied twice, or not at all, and the sum is off.
    """
    product, stop = shop.new_product(stock=UNITS), threading.Event()
    last = shop.server.books.last_event()
    statuses: list[int] = []

    def buy() -> None:
        while not stop.is_set():
            statuses.append(shop.order(product, 1).status_code)

    buyer = threading.Thread(target=buy)
    buyer.start()
    try:
        yield
    finally:
        stop.set()
        buyer.join()
    assert set(statuses) == {201}
    shop.server.books.applied_since(last)
    eventually(lambda: shop.units(product), (UNITS - len(statuses), 0), seconds=30)


def wait(seconds: float) -> None:
    """Let orders come in during an outage that lasts this long."""
    threading.Event().wait(seconds)


def test_orders_go_on_while_redis_is_killed_and_started_again(faulty: RunningShop, broker: RedisProcess) -> None:
    with orders_all_the_while(faulty):
        wait(1)
        broker.kill()
        wait(3)
        broker.start()
        wait(1)


def test_orders_go_on_when_redis_is_wiped(faulty: RunningShop, broker: RedisProcess) -> None:
    with orders_all_the_while(faulty):
        for _ in range(3):
            wait(0.5)
            broker.wipe()


@pytest.mark.parametrize(
    "loss",
    ["FLUSHALL", f"DEL {STREAM}", f"XTRIM {STREAM} MAXLEN 0", f"XGROUP SETID {STREAM} stock $"],
)
def test_what_redis_lost_is_sent_again_although_younger_events_were_heard(
    faulty: RunningShop, broker: RedisProcess, loss: str
) -> None:
    """The consumer is stopped, so that Redis forgets between taking the event and handing it out."""
    product = faulty.new_product(stock=5)
    order = faulty.order(product, 1).json()
    eventually(lambda: faulty.units(product), (4, 0), seconds=30)
    faulty.server.signal("stock", signal.SIGSTOP)
    wait(1.5)  # longer than a read blocks: what comes now is handed out to nobody
    try:
        faulty.call("POST", f"/orders/{order['id']}/cancel", faulty.customer).raise_for_status()
        eventually(lambda: broker.holds(order["id"]), True)
        broker.do(*loss.split())
    finally:
        faulty.server.signal("stock", signal.SIGCONT)
    other = faulty.new_product(stock=5)
    faulty.order(other, 1).raise_for_status()
    eventually(lambda: faulty.units(other), (4, 0), seconds=30)
    eventually(lambda: faulty.units(product), (5, 0), seconds=30)


def test_orders_go_on_while_redis_is_stopped_for_ten_seconds(faulty: RunningShop, broker: RedisProcess) -> None:
    with orders_all_the_while(faulty):
        wait(0.5)
        broker.process.send_signal(signal.SIGSTOP)
        wait(10)
        broker.process.send_signal(signal.SIGCONT)
        wait(0.5)


def test_a_consumer_killed_in_the_middle_of_its_work_goes_on_where_it_was(faulty: RunningShop) -> None:
    """The service that consumes also takes reservations, so orders are placed before: a pile of them, then the kill."""
    product = faulty.new_product(stock=UNITS)
    for _ in range(3):
        last = faulty.server.books.last_event()
        load = faulty.server.load("order", [_order_of(faulty, product)], clients=32, seconds=1)
        faulty.server.signal("stock", signal.SIGKILL)
        assert set(load.answers) == {201}
        eventually(lambda: _ready(faulty), 200, seconds=30)
        faulty.server.books.applied_since(last)
    eventually(lambda: faulty.units(product)[1], 0, seconds=30)
    assert faulty.server.books.oversold_units(lambda _: UNITS, products=[product]) == 0


def _order_of(shop: RunningShop, product: int) -> Request:
    return Request("POST", f"/order?product_id={product}&quantity=1", shop.customer)


def _ready(shop: RunningShop) -> int:
    try:
        return shop.call("GET", "/stock").status_code
    except httpx.TransportError:
        return 0

"""Databases and services that do not answer for a while: nobody waits long, and nothing is done for nobody."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from tests.invariants import all_is_well
from tests.shops import RunningShop, need_redis, shop_apart, shop_together
from tests.waiting import eventually

BUYERS = 16
AT_MOST = 10.5  # seconds, for what is to end within ten


@contextmanager
def locked(folder: Path, context: str) -> Iterator[None]:
    with closing(sqlite3.connect(folder / f"{context}.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def all_at_once(shop: RunningShop, product: int) -> list[tuple[float, httpx.Response]]:
    """So many buyers of one unit each, with how long each has waited."""

    def buy(_: int) -> tuple[float, httpx.Response]:
        began = time.monotonic()
        answer = shop.order(product, 1)
        return time.monotonic() - began, answer

    with ThreadPoolExecutor(BUYERS) as pool:
        return list(pool.map(buy, range(BUYERS)))


def is_well_told(answer: httpx.Response) -> bool:
    problem = answer.json()
    return (
        answer.headers["content-type"] == "application/problem+json"
        and "retry-after" in answer.headers
        and problem["code"] in {"aborted", "unavailable"}
        and "Idempotency-Key" in problem["detail"]
    )


def test_while_a_database_is_locked_each_buyer_is_told_soon_and_the_shop_can_be_stopped(tmp_path: Path) -> None:
    with shop_together(tmp_path) as shop:
        product = shop.new_product(stock=100)
        all_is_well(tmp_path)
        with locked(tmp_path, "stock"):
            first, again = all_at_once(shop, product), all_at_once(shop, product)
            assert max(seconds for seconds, _ in first) < AT_MOST
            assert max(seconds for seconds, _ in again) < 1
            assert all(answer.status_code == 503 and is_well_told(answer) for _, answer in first + again)
            shop.server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert shop.server.process.wait(20) == 0
            assert time.monotonic() - began < 8
    assert "Traceback" not in (tmp_path / "output.log").read_text()


def test_an_order_that_its_buyer_has_hung_up_on_is_not_recorded_later(tmp_path: Path) -> None:
    with shop_together(tmp_path) as shop:
        product, acknowledged = shop.new_product(stock=10_000), Counter[int]()
        patient, stop = threading.Event(), threading.Event()

        def buy(_: int) -> None:
            """Once they are patient, each has hung up on one order at most that is yet to be recorded."""
            with httpx.Client(headers={"authorization": f"Bearer {shop.customer}"}) as http:
                while not stop.is_set():
                    path, seconds = f"/order?product_id={product}&quantity=1", 30 if patient.is_set() else 0.5
                    try:
                        answer = http.post(shop.url(path), timeout=seconds)
                        acknowledged[answer.status_code] += 1
                    except httpx.TimeoutException:
                        continue

        with ThreadPoolExecutor(BUYERS) as pool:
            buying = pool.map(buy, range(BUYERS))
            with locked(tmp_path, "order"):
                time.sleep(3)
                patient.set()
            eventually(lambda: acknowledged[201] > BUYERS, True)
            stop.set()
            list(buying)
        eventually(lambda: shop.units(product), (10_000 - _recorded(tmp_path), 0))
        assert acknowledged[201] <= _recorded(tmp_path) <= acknowledged[201] + BUYERS


def test_a_stopped_service_holds_no_units_of_buyers_who_were_told_that_it_does_not_answer(tmp_path: Path) -> None:
    need_redis()
    with shop_apart(tmp_path) as shop:
        product = shop.new_product(stock=BUYERS)
        shop.order(product, 1).raise_for_status()
        shop.server.signal("stock", signal.SIGSTOP)
        try:
            answers = all_at_once(shop, product)
        finally:
            shop.server.signal("stock", signal.SIGCONT)
        assert max(seconds for seconds, _ in answers) < AT_MOST
        assert all(answer.status_code == 503 and is_well_told(answer) for _, answer in answers)
        eventually(lambda: shop.units(product), (BUYERS - 1, 0))
        assert shop.order(product, BUYERS - 1).status_code == 201


def _recorded(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "order.db")) as connection:
        [(orders,)] = connection.execute("SELECT count(*) FROM orders WHERE status = 'c'")
    return int(orders)

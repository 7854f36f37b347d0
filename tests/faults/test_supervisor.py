"""What watches over the split shop: killed, stopped or unheard, and its services killed again and again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import httpx
import pytest

from bench import patient
from bench.patient import START
from bench.server import ports_in_a_row
from entrypoints.contexts import SERVICE_NAMES
from tests.shops import RunningShop, need_redis, shop_apart
from tests.waiting import eventually

PROCESSES = len(SERVICE_NAMES) + 1
"""All services, and the Redis between them."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    need_redis()
    with shop_apart(tmp_path_factory.mktemp("supervised")) as running:
        yield running


def test_a_service_that_is_killed_as_soon_as_it_is_back_does_not_close_the_shop(shop: RunningShop) -> None:
    product = shop.new_product(stock=10)
    for _ in range(3):
        shop.server.signal("product", signal.SIGKILL)
        eventually(lambda: _status(lambda: shop.call("GET", f"/products/{product}")), 200, seconds=30)
    shop.order(product, 1).raise_for_status()
    assert shop.server.process.poll() is None


def test_orders_go_on_while_the_supervisor_is_stopped(shop: RunningShop) -> None:
    """Nobody reads what the services log then: more of it than a pipe holds."""
    product = shop.new_product(stock=10_000)
    shop.server.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(600):
            shop.order(product, 1).raise_for_status()
        eventually(lambda: shop.units(product), (9400, 0), seconds=30)
    finally:
        shop.server.process.send_signal(signal.SIGCONT)


def test_no_service_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    need_redis()
    first = ports_in_a_row()
    for _ in range(2):  # the second one finds its ports and its files free
        with (tmp_path / "output").open("wb") as output:
            process = _start(tmp_path, first, output.fileno())
        try:
            _wait_until_ready(first)
            services = _children(process.pid)
        finally:
            process.kill()
            process.wait()
        assert len(services) >= PROCESSES  # one more makes the link that is printed
        eventually(partial(_alive, services), {})


def test_a_full_disk_under_the_output_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    need_redis()
    first = ports_in_a_row()
    with Path("/dev/full").open("wb") as full:
        process = _start(tmp_path, first, full.fileno())
    try:
        _wait_until_ready(first)
        os.kill(_children(process.pid)[1], signal.SIGKILL)
        eventually(lambda: len(_children(process.pid)), PROCESSES, seconds=15)
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait(timeout=30)


def _start(folder: Path, first: int, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ecshop", "up", "--split", "--base-port", str(first)],
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, "ECSHOP_DATA_DIR": str(folder)},
    )


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _wait_until_ready(first: int) -> None:
    """Of the services in a row the last one: it needs the others."""
    eventually(
        lambda: _status(lambda: patient.get(f"http://127.0.0.1:{first + len(SERVICE_NAMES) - 1}/health/ready")),
        200,
        seconds=START,
    )


def _alive(pids: Sequence[int]) -> dict[int, str]:
    """By which command each of them was started."""
    return {pid: Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in pids if _is_alive(pid)}


def _is_alive(pid: int) -> bool:
    """Zombies are not: in a container nobody may collect them."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _status(ask: Callable[[], httpx.Response]) -> int:
    try:
        return ask().status_code
    except httpx.TransportError:
        return 0

"""A worker beside servers that leave the events to it: the predecessor's worker, as a process and as a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import patient
from ecshop.events.catalog import OrderConfirmed
from entrypoints.listening import listening_socket
from entrypoints.local.ports import free_port
from tests.databases import OnPostgres, PostgresServer, for_a_shop
from tests.shops import RunningShop, sell_out, shop_apart, shop_together
from tests.waiting import eventually

WITHOUT_EVENTS = {"ECSHOP_BACKGROUND": "off"}


@pytest.fixture
def on_server(postgres: PostgresServer) -> Iterator[dict[str, str]]:
    """The setting of a shop's databases, which are gone afterwards."""
    databases = OnPostgres(postgres)
    yield {"ECSHOP_DATABASE_URL": for_a_shop(databases, migrated=True)}
    databases.close()


@pytest.fixture(params=["memory", "redis", "pubsub"])
def bus(request: pytest.FixtureRequest) -> dict[str, str]:
    """What services and worker are told of it."""
    if request.param == "redis":
        return {"REDIS_URL": request.getfixturevalue("redis_url")}
    if request.param == "pubsub":
        return {"ECSHOP_BUS": "pubsub", "PUBSUB_EMULATOR_HOST": request.getfixturevalue("pubsub_host")}
    return {}


@contextmanager
def worker(folder: Path, environment: Mapping[str, str]) -> Iterator[Callable[[], str]]:
    """Yields what it has logged."""
    log = folder / "worker.log"
    command = [sys.executable, "-m", "ecshop", "worker", "--data-dir", str(folder)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
    try:
        yield log.read_text
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def _job(environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecshop", "worker", "--until-idle", "1", "--data-dir", str(folder)]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_services_that_leave_the_events_to_a_worker_sell_fifty_units(
    on_server: dict[str, str], bus: dict[str, str], tmp_path: Path
) -> None:
    shape, told = shop_apart if bus else shop_together, {"ECSHOP_WORKER_PORT": str(free_port())}
    environment = on_server | bus
    with worker(tmp_path, environment | told) as logged, shape(tmp_path, **environment, **WITHOUT_EVENTS) as shop:
        sell_out(shop)
        assert "event received" in logged()
        address = f"http://127.0.0.1:{told['ECSHOP_WORKER_PORT']}"
        assert patient.get(f"{address}/health/ready").json()["checks"]["the relay of order"] == "ok"
        counted = patient.get(f"{address}/metrics").text
        assert 'consumer="stock",outcome="committed",type="ecshop.order.confirmed.v1"} 50.0' in counted


def test_a_worker_that_cannot_have_its_port_says_so(on_server: dict[str, str], tmp_path: Path) -> None:
    with listening_socket("127.0.0.1", 0) as taken:
        told = {"ECSHOP_WORKER_PORT": str(taken.getsockname()[1])}
        ended = _job(on_server | told, tmp_path)
    assert ended.returncode == 1
    assert "choose another with ECSHOP_WORKER_PORT" in ended.stderr


@pytest.fixture
def without_events(on_server: dict[str, str], tmp_path: Path) -> Iterator[RunningShop]:
    with shop_together(tmp_path, **on_server, **WITHOUT_EVENTS) as running:
        yield running


def test_a_job_does_what_there_is_to_do_and_says_what_it_did(
    without_events: RunningShop, on_server: dict[str, str], tmp_path: Path
) -> None:
    shop = without_events
    product = shop.new_product(stock=3)
    for _ in range(3):
        shop.order(product, 1).raise_for_status()
    assert shop.units(product) == (3, 3)
    ended = _job({**on_server, "ECSHOP_LOG": "json"}, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert shop.units(product) == (0, 0)
    eventually(lambda: shop.product(product)["status"], False)
    assert f"stock           3  {OrderConfirmed.type}  committed" in ended.stdout
    assert ended.stdout.count("event received") >= 4


def test_a_job_that_finds_nothing_says_so(on_server: dict[str, str], tmp_path: Path) -> None:
    ended = _job(on_server, tmp_path)
    assert (ended.returncode, "no event came" in ended.stdout) == (0, True)


def test_servers_on_files_cannot_leave_their_events_to_a_worker(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "ecshop", "up", "--port", "0", "--data-dir", str(tmp_path)],
        env={**os.environ, **WITHOUT_EVENTS},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert "set ECSHOP_DATABASE_URL to a PostgreSQL" in ended.stderr

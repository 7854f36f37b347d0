"""What all tests share: one event loop each, a Redis and a PostgreSQL, and shops in all shapes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer

from bench.collector import Collector, collecting
from bench.server import UNBOUNDED
from entrypoints.local.pubsub_emulator import NoPubSub, pubsub_emulator
from entrypoints.local.redis_server import redis_server
from tests.databases import Databases, OnPostgres, PostgresServer, databases_on, for_a_shop, postgres_server
from tests.scheduling import ByWhatTheyShare, group, mark_quick
from tests.shops import (
    RunningShop,
    need_nginx,
    need_redis,
    sends_traces_to,
    shop_behind_gateway,
    shop_together,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="all tests, and not only those that are quick")


def pytest_configure(config: pytest.Config) -> None:
    """Whoever names nothing gets what is quick."""
    chosen = config.option.all or config.option.markexpr or config.option.keyword
    if config.args_source is config.ArgsSource.TESTPATHS and not chosen:
        config.option.markexpr = "quick"


def pytest_xdist_auto_num_workers() -> int:
    """Twice the cores: much of what the tests do is wait for other processes."""
    return 2 * (os.cpu_count() or 1)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByWhatTheyShare:
    return ByWhatTheyShare(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function):
            group(item)
            mark_quick(item)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What needs databases runs on both kinds, unless it is marked `sqlite_only`."""
    if "dbms" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("sqlite_only")
        metafunc.parametrize("dbms", ["sqlite"] if only else ["sqlite", "postgres"], scope="session")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis for this test process."""
    need_redis()
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session", autouse=True)
def named_emulator() -> str:
    """It goes out of the environment: else services would use it instead of a Redis."""
    return os.environ.pop("PUBSUB_EMULATOR_HOST", "")


@pytest.fixture(scope="session")
def pubsub_host(named_emulator: str) -> Iterator[str]:
    """A real emulator for this test process: the one that is named, or one of our own."""
    if named_emulator:
        yield named_emulator
        return
    try:
        with pubsub_emulator() as host:
            yield host
    except NoPubSub as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session", autouse=True)
def named_server() -> str:
    """It goes out of the environment: a shop refuses a variable that it does not know."""
    return os.environ.pop("ECSHOP_TEST_DATABASE_URL", "")


@pytest.fixture(scope="session", autouse=True)
def few_customers() -> None:
    """Those of the tests order as many do."""
    os.environ.update(UNBOUNDED, ECSHOP_DEMO="off")


@pytest.fixture(scope="session")
def postgres(named_server: str) -> Iterator[PostgresServer]:
    """A real PostgreSQL for this test process."""
    with postgres_server(named_server) as server:
        yield server


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where SQLite files wait to be copied."""
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def databases(dbms: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Of this test alone."""
    with databases_on(dbms, tmp_path, request) as databases:
        yield databases


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where shops send the traces that a test asks for."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
def together(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """The whole shop in one process. It serves all tests of this test process: each makes products of its own."""
    with shop_together(tmp_path_factory.mktemp("together"), **sends_traces_to(collector)) as running:
        yield running


@pytest.fixture(scope="session")
def apart(collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """The whole shop as five services with a Redis between them, behind a gateway."""
    need_redis()
    need_nginx()
    with shop_behind_gateway(tmp_path_factory.mktemp("apart"), **sends_traces_to(collector)) as running:
        yield running


@pytest.fixture(scope="session")
def on_postgres(
    collector: Collector, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningShop]:
    """The whole shop in one process, with its databases on a server, empty when it starts."""
    databases = OnPostgres(postgres)
    environment = sends_traces_to(collector) | {"ECSHOP_DATABASE_URL": for_a_shop(databases, migrated=False)}
    with shop_together(tmp_path_factory.mktemp("on-postgres"), **environment) as running:
        yield running
    databases.close()

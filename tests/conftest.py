"""What all tests share: one event loop each, a Redis of one's own, and shops in both shapes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entrypoints.local.redis_server import redis_server
from tests.shops import RunningShop, need_redis, shop_apart, shop_together


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis for this test process."""
    need_redis()
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """The whole shop in one process. It serves all tests of this test process: each makes products of its own."""
    with shop_together(tmp_path_factory.mktemp("together")) as running:
        yield running


@pytest.fixture(scope="session")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """The whole shop as four services with a Redis between them."""
    need_redis()
    with shop_apart(tmp_path_factory.mktemp("apart")) as running:
        yield running


@pytest.fixture(scope="session", params=["together", "apart"])
def shop(request: pytest.FixtureRequest) -> RunningShop:
    """Both shapes of the shop, one after the other."""
    running: RunningShop = request.getfixturevalue(request.param)
    return running

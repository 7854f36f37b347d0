"""What all tests share: one event loop each, a Redis of one's own, and shops in both shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoints.redis_server import redis_server
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


@pytest.fixture(scope="session", params=["together", "apart"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """The whole shop as its users start it: one process, or four services with a Redis between them.

    It serves all tests of this process; each makes products and users of its own.
    """
    if request.param == "apart":
        need_redis()
    start = {"together": shop_together, "apart": shop_apart}[request.param]
    with start(Path(tmp_path_factory.mktemp(request.param))) as running:
        yield running

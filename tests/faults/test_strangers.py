"""Whoever reaches the broker of the split mode and is none of its services says nothing there, and learns nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from tests.shops import RunningShop, need_redis, shop_apart
from tests.waiting import eventually


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    need_redis()
    with shop_apart(tmp_path_factory.mktemp("strangers")) as running:
        yield running


@pytest.fixture(scope="module")
def url(shop: RunningShop) -> str:
    """As the services know it, with the password."""
    for process in Path("/proc").glob("[0-9]*"):
        told = process / "environ"
        try:
            variables = dict(pair.partition("=")[::2] for pair in told.read_text().split("\0"))
        except (OSError, UnicodeDecodeError):
            continue
        if variables.get("ECSHOP_DATA_DIR") == str(shop.folder) and "ecshop:" in variables.get("REDIS_URL", ""):
            return variables["REDIS_URL"]
    raise AssertionError("no service has the address of the broker")


def test_without_the_password_nothing_is_said_and_nothing_is_read(shop: RunningShop, url: str) -> None:
    product = shop.new_product(stock=5)
    order = shop.order(product, 5).json()["id"]
    eventually(lambda: shop.units(product), (0, 0))
    stranger = Redis.from_url(re.sub(r"//.*@", "//", url))
    forged = f'{{"type":"ecshop.order.cancelled.v1","subject":"{order}"}}'
    for command in ("PING", "KEYS *", "FLUSHALL", "CONFIG SET dir /tmp"):
        with pytest.raises((AuthenticationError, ResponseError)):
            stranger.execute_command(*command.split())  # type: ignore[no-untyped-call]
    with pytest.raises((AuthenticationError, ResponseError)):
        stranger.execute_command("XADD", "ecshop:order", "*", "event", forged)  # type: ignore[no-untyped-call]
    assert shop.units(product) == (0, 0)


@pytest.mark.parametrize(
    "command",
    ["CONFIG SET dir /tmp", "FLUSHALL", "SHUTDOWN", "EVAL return 0", "REPLICAOF 192.0.2.1 6379", "ACL LIST", "KEYS *"],
)
def test_its_own_services_may_do_there_what_the_bus_does_and_no_more(url: str, command: str) -> None:
    service = Redis.from_url(url)
    assert service.ping()
    with pytest.raises(NoPermissionError):
        service.execute_command(*command.split())  # type: ignore[no-untyped-call]


def test_the_password_is_in_no_file_and_in_no_line(shop: RunningShop, url: str) -> None:
    password = url.split(":")[2].split("@", maxsplit=1)[0]
    assert len(password) > 40
    for file in (*shop.folder.rglob("*"), shop.folder / "output.log"):
        if file.is_file():
            assert password.encode() not in file.read_bytes(), file

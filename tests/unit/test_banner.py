"""What a shop says when it is up."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from entrypoints.contexts import NAMES
from entrypoints.local.banner import one_process, split
from entrypoints.local.broker import broker_of
from entrypoints.settings import Settings


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:s3cret@redis/0", "redis://redis/0"),
        ("rediss://shop:s3c%40ret@redis:6380/1?timeout=2", "rediss://redis:6380/1"),
        ("unix://shop:s3cret@/run/redis.sock?db=1", "unix:/run/redis.sock"),
        ("redis://redis/0?password=s3cret&db=1", "redis://redis/0"),
    ],
)
def test_no_password_is_on_the_terminal(url: str, shown: str) -> None:
    settings = Settings(redis_url=url)
    with ExitStack() as held:
        said = split(dict.fromkeys(NAMES, "http://127.0.0.1:8000"), broker_of(settings, held), settings)
    assert f"  {shown}\n" in said
    assert "s3c" not in said


def test_a_shop_that_was_filled_is_ordered_from_by_one_command_an_empty_one_gets_a_product_first() -> None:
    filled, empty = (
        one_process("http://127.0.0.1:8000", Settings(), is_filled=is_filled) for is_filled in (True, False)
    )
    assert filled.count("curl ") == 1
    assert '"http://127.0.0.1:8000/order?product_id=1&quantity=1"' in filled
    assert "/products" in empty
    for name in ("Shop", "Console", "API docs", "Health", "Data", "Bus"):
        assert f"\n  {name:<10}" in filled

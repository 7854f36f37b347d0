"""What a page can do without: it is waited for a little, and left out where its context does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar, overload

from ecshop.kernel.errors import TookTooLong, Unavailable

T = TypeVar("T")

_PATIENCE: Final = 2.0  # seconds


async def soon(asked: Awaitable[T]) -> T:
    """Raises `Unavailable` also where the answer takes long."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await asked
    except (TimeoutError, TookTooLong) as cause:
        raise Unavailable("the answer takes too long for a page") from cause


@overload
async def otherwise(asked: Awaitable[T], nothing: None) -> T | None: ...


@overload
async def otherwise(asked: Awaitable[T], nothing: T) -> T: ...


async def otherwise(asked: Awaitable[T], nothing: T | None) -> T | None:
    """Nothing, where there is no answer soon."""
    try:
        return await soon(asked)
    except Unavailable:
        return nothing

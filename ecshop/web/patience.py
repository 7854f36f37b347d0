"""Contexts that do not answer: what a page can do without is left out, and what was done in part is not denied."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar, overload

from ecshop.kernel.errors import Aborted, TookTooLong, Unavailable

T = TypeVar("T")

_PATIENCE: Final = 2.0  # seconds


@contextmanager
def one_by_one(*, has_begun: bool) -> Iterator[None]:
    """Around one of several changes that do not stand or fall together: of a later one that fails it is not true
    that nothing was changed.

    Raises `Unavailable` for its `Aborted`, once the changes have begun.
    """
    try:
        yield
    except Aborted as cause:
        if has_begun:
            raise Unavailable(cause.detail) from cause
        raise


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

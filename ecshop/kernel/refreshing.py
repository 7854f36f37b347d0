"""Something borrowed for a while from somebody who may be away: the keys of auth, a token of one's own."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, TypeVar

import structlog

from ecshop.kernel.errors import EcshopError, Unavailable

T = TypeVar("T")

log = structlog.get_logger("refreshing")


class Fresh(NamedTuple, Generic[T]):
    """A value just fetched; both spans are in seconds."""

    value: T
    renew_after: float
    good_for: float = math.inf


class _Held(NamedTuple, Generic[T]):
    value: T
    renew_at: float
    good_until: float


class Refreshing(Generic[T]):
    """Fetched by one for all who wait, renewed before it ends, kept while it is good and its source is away."""

    def __init__(
        self, what: str, fetch: Callable[[], Awaitable[Fresh[T]]], *, pause: float, first_pause: float | None = None
    ) -> None:
        """`pause` is the least time between two tries, in seconds; `first_pause` as long as there is no value."""
        self._what, self._fetch = what, fetch
        self._pause, self._first_pause = pause, pause if first_pause is None else first_pause
        self._fetching = asyncio.Lock()
        self._held: _Held[T] | None = None
        self._tried = -math.inf

    async def get(self, suits: Callable[[T], bool] = lambda _: True) -> T | None:
        """The value; None when there is none that is still good. One that does not suit is fetched anew."""
        if self._is_due(suits):
            async with self._fetching:
                if self._is_due(suits):
                    await self._renew()
        held = self._held
        return held.value if held is not None and time.monotonic() < held.good_until else None

    def _is_due(self, suits: Callable[[T], bool]) -> bool:
        held, moment = self._held, time.monotonic()
        stale = held is None or moment >= held.renew_at or not suits(held.value)
        return stale and moment - self._tried > (self._first_pause if held is None else self._pause)

    async def _renew(self) -> None:
        asked = time.monotonic()
        try:
            fresh = await self._fetch()
        except Unavailable as away:
            log.warning("cannot be fetched now", what=self._what, error=away.detail)
        except EcshopError as refusal:
            log.error("is refused", what=self._what, code=refusal.code, error=refusal.detail)
        else:
            self._held = _Held(fresh.value, asked + fresh.renew_after, asked + fresh.good_for)
        self._tried = time.monotonic()

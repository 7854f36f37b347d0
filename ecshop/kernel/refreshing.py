"""Something borrowed for a while from somebody who may be away: the keys of auth, a token of one's own."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
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
    """Fetched by one try for all who wait, renewed in the background, kept while it is good and its source is away."""

    def __init__(
        self,
        what: str,
        fetch: Callable[[], Awaitable[Fresh[T]]],
        *,
        pause: float,
        first_pause: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pause` is the least time between two tries, in seconds; `first_pause` as long as there is no value."""
        self._what, self._fetch, self._clock = what, fetch, clock
        self._pause, self._first_pause = pause, pause if first_pause is None else first_pause
        self._held: _Held[T] | None = None
        self._trying: asyncio.Task[None] | None = None
        self._tried = -math.inf

    async def get(self, suits: Callable[[T], bool] = lambda _: True) -> T | None:
        """The value; None when there is none that is still good. Only one that does not suit is waited for."""
        held = self._good()
        if held is None or not suits(held.value):
            pause = self._first_pause if self._held is None else self._pause
            if self._trying is not None or self._clock() - self._tried > pause:
                await self._try()
        return self.known()

    def known(self) -> T | None:
        """The value that is good without waiting for any."""
        held = self._good()
        return None if held is None else held.value

    async def keep_fresh(self) -> None:
        """Renew what was fetched once, before anybody has to wait for it, until cancelled."""
        while True:
            held = self._held
            if held is None:
                await asyncio.sleep(self._first_pause)
                continue
            await asyncio.sleep(max(held.renew_at, self._tried + self._pause) - self._clock())
            await self._try()

    def _good(self) -> _Held[T] | None:
        held = self._held
        return held if held is not None and self._clock() < held.good_until else None

    async def _try(self) -> None:
        """It is not the caller's own: whoever comes meanwhile waits for it too, and it outlives those who leave."""
        if self._trying is None:
            self._trying = asyncio.create_task(self._renew(), context=Context())
        await asyncio.shield(self._trying)

    async def _renew(self) -> None:
        asked = self._clock()
        try:
            fresh = await self._fetch()
        except Unavailable as away:
            log.warning("cannot be fetched now", what=self._what, error=away.detail)
        except EcshopError as refusal:
            log.error("is refused", what=self._what, code=refusal.code, error=refusal.detail)
        else:
            self._held = _Held(fresh.value, asked + fresh.renew_after, asked + fresh.good_for)
        finally:
            self._tried, self._trying = self._clock(), None

"""The last hour, minute by minute; those that are over are asked for once, whoever looks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ecshop.kernel.clock import now
from ecshop.kernel.identity import Actor
from ecshop.kernel.values import Spread
from ecshop.order.contract import OrderClient, Pace
from ecshop.oversight.contract import OversightClient
from ecshop.web.patience import otherwise

MINUTES: Final = 60
_A_MINUTE: Final = timedelta(minutes=1)
_STILL_MOVING: Final = 3
"""Minutes in which events may be applied yet, and be counted."""


class Hour(NamedTuple):
    """`ends` is when its last minute does; each list has the oldest minute first. Lags are in milliseconds."""

    ends: datetime
    placed: list[int]
    taken: list[Spread | None]
    sold_out: list[Spread | None]
    pace: Pace

    @property
    def minutes(self) -> list[datetime]:
        """When each begins."""
        return [self.ends - n * _A_MINUTE for n in range(MINUTES, 0, -1)]

    @property
    def average(self) -> float:
        return sum(self.placed) / MINUTES


class _Minute(NamedTuple):
    placed: int
    taken: Spread | None
    sold_out: Spread | None


class LastHour:
    def __init__(self, order: OrderClient, oversight: Mapping[str, OversightClient]) -> None:
        self._order, self._oversight = order, oversight
        self._over: dict[datetime, _Minute] = {}

    async def read(self, actor: Actor) -> Hour | None:
        """Without the lags of those that do not answer; None where order does not."""
        ends = now().replace(second=0, microsecond=0) + _A_MINUTE
        minutes = [ends - n * _A_MINUTE for n in range(MINUTES, 0, -1)]
        missing = [minute for minute in minutes if minute not in self._over]
        since, many = missing[0], round((ends - missing[0]) / _A_MINUTE)
        pace, taken, sold_out = await asyncio.gather(
            otherwise(self._order.pace(actor, since, many), None),
            otherwise(self._oversight["stock"].lags(actor, since, many), None),
            otherwise(self._oversight["product"].lags(actor, since, many), None),
        )
        if pace is None:
            return None
        nothing = [None] * many
        found = self._over | {
            since + n * _A_MINUTE: _Minute(*told)
            for n, told in enumerate(zip(pace.placed, taken or nothing, sold_out or nothing, strict=True))
        }
        if taken and sold_out:
            self._over = {minute: found[minute] for minute in minutes[:-_STILL_MOVING]}
        hour = [found[minute] for minute in minutes]
        return Hour(
            ends, [one.placed for one in hour], [one.taken for one in hour], [one.sold_out for one in hour], pace
        )


class Observed:
    """What no context remembers: the highest number of each minute in which somebody looked, of the last hour."""

    def __init__(self) -> None:
        self._minutes: dict[datetime, Mapping[str, int]] = {}

    def add(self, numbers: Mapping[str, int]) -> None:
        minute = now().replace(second=0, microsecond=0)
        known = self._minutes.get(minute, {})
        highest = {name: max(number, known.get(name, number)) for name, number in numbers.items()}
        self._minutes[minute] = {**known, **highest}
        self._minutes = {at: seen for at, seen in self._minutes.items() if at > minute - MINUTES * _A_MINUTE}

    def hour(self, name: str) -> list[int | None]:
        """The oldest minute first; None where nobody looked."""
        minute = now().replace(second=0, microsecond=0)
        return [self._minutes.get(minute - n * _A_MINUTE, {}).get(name) for n in range(MINUTES - 1, -1, -1)]

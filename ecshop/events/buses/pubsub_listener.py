"""One listener's subscription on Pub/Sub: takes, applies, acknowledges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from ecshop.events.buses.pubsub_applying import Applying
from ecshop.events.buses.pubsub_project import LEASE, Message, Project
from ecshop.kernel.errors import Unavailable

_AT_ONCE: Final = 500


class Listener:
    """Takes no more than it applies at once; what it has taken stays its own while its database is away."""

    def __init__(self, project: Project, subscription: str, applying: Applying) -> None:
        self.subscription = subscription
        self._project, self._applying = project, applying
        self._in_hand: Sequence[Message] = ()

    async def step(self) -> None:
        if self._in_hand:
            await self._project.hold(self.subscription, _handles(self._in_hand), LEASE)
        else:
            self._in_hand = await self._project.pull(self.subscription, _AT_ONCE)
        if self._in_hand:
            await self._settle(await self._applying.apply(self._in_hand))

    async def release(self) -> None:
        """Have others get at once what is still in hand."""
        with suppress(Unavailable):
            await self._project.hold(self.subscription, _handles(self._in_hand), 0)

    async def _settle(self, verdicts: Sequence[timedelta | None]) -> None:
        done = [one for one, pause in zip(self._in_hand, verdicts, strict=True) if pause is None]
        await self._project.acknowledge(self.subscription, _handles(done))
        pauses: dict[int, list[Message]] = {}
        for one, pause in zip(self._in_hand, verdicts, strict=True):
            if pause is not None:
                pauses.setdefault(math.ceil(pause.total_seconds()), []).append(one)
        self._in_hand = ()
        for seconds, failed in pauses.items():
            await self._project.hold(self.subscription, _handles(failed), seconds)


def _handles(messages: Sequence[Message]) -> list[str]:
    return [one.handle for one in messages]

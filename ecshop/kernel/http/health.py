"""Is this process alive, and can it serve?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import get

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.http.operation import operation

Probe = Callable[[], Awaitable[None]]
"""Raises `NotReady`, or whatever else keeps the process from serving."""


class NotReady(EcshopError, code="health.not_ready", status=503):
    """A database does not answer or is not at the schema version that the code expects."""


@get("/health/live", tags=["health"], **operation("Is the process alive?", needs_nothing=True))
async def live() -> dict[str, str]:
    """Touches nothing."""
    return {"status": "alive"}


@get("/health", tags=["health"], **operation("Is the process alive?", needs_nothing=True))
async def health() -> dict[str, str]:
    """The same as `/health/live`."""
    return {"status": "alive"}


def readiness(probes: Sequence[Probe]) -> Any:
    @get("/health/ready", tags=["health"], **operation("Can the process serve?", NotReady))
    async def ready() -> dict[str, str]:
        """Asks each database of this process for its schema version."""
        for probe in probes:
            await probe()
        return {"status": "ready"}

    return ready

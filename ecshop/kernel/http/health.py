"""Is this process alive, can it serve, and what does it count?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final

from litestar import Request, Response, get
from msgspec import Meta, Struct

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.http.operation import operation

Probe = Callable[[], Awaitable[None]]
"""Raises what keeps the process from serving."""

Report = Callable[[], Awaitable[Mapping[str, str]]]
"""What the process would rather have: by its name `OK`, or what is wrong with it."""

Measure = Callable[[str], Awaitable[tuple[bytes, str]]]
"""The metrics of the process as they are now, in a format that an `Accept` asks for, and its media type."""

OK: Final = "ok"


class NotReady(
    EcshopError, code="health.not_ready", status=503, example={"checks": {"order database": "it does not answer"}}
):
    """A database takes no writes or is not at the schema version that the code expects; `checks` says which."""


class Readiness(Struct, frozen=True):
    """A process that is ready serves; of the `checks`, those that are not ok only make something late."""

    status: Annotated[str, Meta(examples=["ready"])]
    checks: Annotated[dict[str, str], Meta(examples=[{"order database": OK, "the relay of order": OK, "auth": OK}])]


@get("/health/live", tags=["health"], **operation("Is the process alive?", needs_nothing=True))
async def live() -> dict[str, str]:
    """Touches nothing."""
    return {"status": "alive"}


@get("/health", tags=["health"], **operation("Is the process alive?", needs_nothing=True))
async def health() -> dict[str, str]:
    """The same as `/health/live`."""
    return {"status": "alive"}


def readiness(probes: Mapping[str, Probe], report: Report) -> Any:
    @get("/health/ready", tags=["health"], **operation("Can the process serve?", NotReady))
    async def ready() -> Readiness:
        """Writes to each database of this process, at most every 2 seconds, and tells of relays and neighbours."""
        checks = {name: await _found(probe) for name, probe in probes.items()}
        wrong = {name: found for name, found in checks.items() if found != OK}
        checks |= await report()
        if wrong:
            raise NotReady("; ".join(f"{name}: {found}" for name, found in wrong.items()), checks=checks)
        return Readiness("ready", checks)

    return ready


def metrics(measure: Measure) -> Any:
    @get("/metrics", include_in_schema=False)
    async def told(request: Request[Any, Any, Any]) -> Response[bytes]:
        content, media_type = await measure(request.headers.get("accept", ""))
        return Response(content, media_type=media_type)

    return told


async def _found(probe: Probe) -> str:
    try:
        await probe()
    except EcshopError as error:
        return error.detail
    return OK

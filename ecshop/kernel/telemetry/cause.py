"""Because of what something happens: it travels with what is done later, for many at once or by others."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ecshop.kernel.telemetry.logs import request_id
from ecshop.kernel.telemetry.trace import sampled_traceparent, trace


class Cause(Struct, frozen=True):
    """A request, and the span of a trace that is sampled, as its `traceparent`; both may be empty."""

    request_id: str = ""
    traceparent: str = ""


UNKNOWN: Final = Cause()


def cause() -> Cause:
    """Of what is being done."""
    return Cause(request_id.get(), sampled_traceparent() if trace.get() else "")

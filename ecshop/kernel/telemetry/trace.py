"""Which trace something is part of (W3C Trace Context, w3.org/TR/trace-context)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextvars import ContextVar
from random import getrandbits
from typing import Final, NamedTuple

_W3C: Final = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_GOOGLE: Final = re.compile(r"((?!0{32})[0-9a-f]{32})(?:/(\d{1,20}))?(?:;o=([01]))?")


class TraceContext(NamedTuple):
    """The span of a trace that something is part of; its id is empty where a caller names none."""

    trace_id: str
    span_id: str
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.is_sampled:02x}"

    @property
    def fields(self) -> dict[str, object]:
        """For a log line."""
        span = {"span_id": self.span_id} if self.span_id else {}
        return {"trace_id": self.trace_id, **span, "sampled": self.is_sampled}


trace: Final[ContextVar[TraceContext | None]] = ContextVar("trace", default=None)
"""What is being done is part of this; it travels in `traceparent` to the services that are called, and with events."""


def sampled_traceparent() -> str:
    """Of what is being done; empty where its trace is not sampled: nobody would look for it."""
    context = trace.get()
    return context.traceparent if context is not None and context.is_sampled and context.span_id else ""


def new_trace_id() -> str:
    """32 digits, not all of them 0."""
    return f"{getrandbits(127) + 1:032x}"


def new_span_id() -> str:
    """16 of them."""
    return f"{getrandbits(63) + 1:016x}"


def context_of(traceparent: str) -> TraceContext | None:
    """None of what is no `traceparent`: a trace is never worth a refusal."""
    match = _W3C.fullmatch(traceparent)
    return TraceContext(match[1], match[2], bool(int(match[3], 16) & 1)) if match else None


def context_in(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """Of `traceparent`, else of `X-Cloud-Trace-Context`, as Google's front ends send it."""
    found: TraceContext | None = None
    for name, value in headers:
        if name == b"traceparent" and (of_w3c := context_of(value.decode("latin-1"))):
            return of_w3c
        if name == b"x-cloud-trace-context":
            found = _of_google(value.decode("latin-1"))
    return found


def _of_google(value: str) -> TraceContext | None:
    match = _GOOGLE.fullmatch(value)
    if match is None:
        return None
    span = int(match[2] or 0) % 2**64
    return TraceContext(match[1], f"{span:016x}" if span else "", match[3] == "1")

"""Which trace a request is part of, as its caller says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_W3C: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_GOOGLE: Final = re.compile(rb"([0-9a-f]{32})(?:/(\d{1,20}))?(?:;o=([01]))?")
_NONE: Final = b"0" * 32


def trace_fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, object]:
    """`trace_id`, `span_id` and whether it is `sampled`, for the log; nothing without a trace.

    Of `traceparent` (W3C Trace Context), else of `X-Cloud-Trace-Context`, as Google's front ends send it.
    """
    found: dict[str, object] = {}
    for name, value in headers:
        if name == b"traceparent" and (of_w3c := _of_w3c(value)):
            return of_w3c
        if name == b"x-cloud-trace-context":
            found = _of_google(value)
    return found


def _of_w3c(value: bytes) -> dict[str, object]:
    match = _W3C.fullmatch(value)
    if match is None or match[1] == _NONE:
        return {}
    return {"trace_id": match[1].decode(), "span_id": match[2].decode(), "sampled": bool(int(match[3], 16) & 1)}


def _of_google(value: bytes) -> dict[str, object]:
    match = _GOOGLE.fullmatch(value)
    if match is None or match[1] == _NONE:
        return {}
    found: dict[str, object] = {"trace_id": match[1].decode(), "sampled": match[3] == b"1"}
    span = int(match[2] or 0) % 2**64
    return found | {"span_id": f"{span:016x}"} if span else found

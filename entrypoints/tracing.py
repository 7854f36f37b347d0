"""Whether traces are sent, and where."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import uuid4

import structlog

from ecshop import __version__
from ecshop.kernel.telemetry.spans import record_by
from entrypoints.contexts import ALL
from entrypoints.settings import BadSetting, Settings

log = structlog.get_logger("shop")


@contextmanager
def tracing(settings: Settings, process: str) -> Iterator[None]:
    """Send the spans of this process while the context lasts, where a collector is named. Raises `BadSetting`."""
    if not settings.otlp_endpoint:
        yield
        return
    try:
        from ecshop.kernel.telemetry.otlp import OtlpRecorder  # noqa: PLC0415 - of an extra
    except ImportError as cause:
        raise BadSetting(f"traces need OpenTelemetry's SDK: pip install 'ecshop[otel]' ({cause})") from cause
    resource = {
        "service.namespace": "ecshop",
        "service.name": process,
        "service.version": __version__,
        "service.instance.id": str(uuid4()),
    }
    recorder = OtlpRecorder(settings.otlp_endpoint, settings.trace_ratio, resource)
    log.info("traces are sent", to=settings.otlp_endpoint, ratio=settings.trace_ratio)
    record_by(recorder)
    try:
        yield
    finally:
        record_by(None)
        recorder.close()


def name_of(here: Collection[str]) -> str:
    """What a process with these contexts is called in traces."""
    return "shop" if here == ALL else "+".join(sorted(here))

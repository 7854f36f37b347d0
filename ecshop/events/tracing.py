"""The spans of an event: one of being sent, and one of each listener that has it, a part of the former."""

from __future__ import annotations

from ecshop.events.envelope import AnyEnvelope, Some, caused_by, trace_of
from ecshop.kernel.telemetry.spans import Attributes, Span, span_of


def sent(envelope: Some) -> tuple[Some, Span]:
    """The envelope as it goes out, whose listeners are a part of the span."""
    return _part_of(envelope, span_of(trace_of(envelope), f"send {envelope.type}", "producer"), {})


def received(envelope: Some, consumer: str) -> tuple[Some, Span]:
    """The envelope to be applied: what that brings about is a part of the span."""
    own = span_of(trace_of(envelope), f"process {envelope.type}", "consumer")
    return _part_of(envelope, own, {"messaging.consumer.group.name": consumer})


def _part_of(envelope: Some, own: Span, attributes: Attributes) -> tuple[Some, Span]:
    if own.context is None:
        return envelope, own
    own.note({**_about(envelope), **attributes})
    return caused_by(envelope, own.context), own


def _about(envelope: AnyEnvelope) -> Attributes:
    """Under the names of OpenTelemetry's semantic conventions."""
    return {
        "cloudevents.event_id": envelope.id,
        "cloudevents.event_source": envelope.source,
        "cloudevents.event_subject": envelope.subject,
        "cloudevents.event_type": envelope.type,
    }

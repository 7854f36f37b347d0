"""What an event travels in: CloudEvents 1.0, structured JSON (cloudevents.io/spec)."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace
from uuid_utils import uuid7

from ecshop.events.catalog import CATALOG, Event, source_of
from ecshop.kernel.clock import now
from ecshop.kernel.telemetry.cause import UNKNOWN, Cause
from ecshop.kernel.telemetry.trace import TraceContext, context_of

Bounded = Annotated[str, Meta(max_length=80)]
"""What fits the columns that it will stand in."""


Data = TypeVar("Data", bound="msgspec.Raw | Event")


class Envelope(msgspec.Struct, Generic[Data], frozen=True, kw_only=True):
    """`id` and `source` together identify an event; `data` stays as it came until somebody handles its type.

    Two extensions say what has caused the event: `requestid` is the request, as its X-Request-ID and its log line have
    it, and `traceparent` the span of a trace that is sampled (CloudEvents, Distributed Tracing extension).
    """

    id: Bounded
    source: Bounded
    type: Bounded
    subject: Bounded
    time: datetime
    data: Data
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    requestid: Bounded | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET


AnyEnvelope = Envelope[msgspec.Raw] | Envelope[Event]
Some = TypeVar("Some", bound=AnyEnvelope)

_FREE: Final = ~(0xF << 76 | 0x3 << 62)
_VERSION_8: Final = 8 << 76 | 2 << 62
"""Version and variant of a UUID (RFC 9562, section 5.8)."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope[msgspec.Raw])


def envelope_of(event: Event, id_: str) -> Envelope[Event]:
    return Envelope(
        id=id_,
        source=f"/ecshop/{source_of(event.type)}",
        type=event.type,
        subject=event.subject,
        time=event.happened_at or now(),
        data=event,
        requestid=event.cause.request_id or UNSET,
        traceparent=event.cause.traceparent or UNSET,
    )


def opened(envelope: AnyEnvelope) -> Event:
    """The event of a type that the catalog knows; raises `msgspec.DecodeError` for data that is not of its type."""
    if isinstance(envelope.data, Event):
        return envelope.data
    event = msgspec.json.decode(envelope.data, type=CATALOG[envelope.type])
    context = trace_of(envelope)
    cause = Cause(envelope.requestid or "", context.traceparent if context else "")
    return replace(event, cause=cause, happened_at=envelope.time)


def trace_of(envelope: AnyEnvelope) -> TraceContext | None:
    """None where its `traceparent` is none."""
    return context_of(envelope.traceparent) if envelope.traceparent else None


def caused_by(envelope: Some, context: TraceContext) -> Some:
    """The same event as a part of this span."""
    data: msgspec.Raw | Event = envelope.data
    if isinstance(data, Event):
        data = replace(data, cause=replace(data.cause, traceparent=context.traceparent))
    return replace(envelope, traceparent=context.traceparent, data=data)


def body_of(message: Envelope[Event] | bytes) -> bytes:
    """Structured JSON, as it goes to a broker, of what may be that already."""
    return message if isinstance(message, bytes) else to_bytes(message)


def to_bytes(envelope: Envelope[Event]) -> bytes:
    bare = replace(envelope.data, cause=UNKNOWN, happened_at=None)
    return _encoder.encode(replace(envelope, data=bare))


def from_bytes(body: bytes) -> Envelope[msgspec.Raw]:
    """Raises `msgspec.DecodeError` for what is no CloudEvents envelope."""
    try:
        envelope = _decoder.decode(body)
    except (UnicodeDecodeError, RecursionError) as cause:
        raise msgspec.DecodeError(f"not an envelope: {cause}") from cause
    named = envelope.id + envelope.source + envelope.type + envelope.subject + (envelope.requestid or "")
    if not named.isprintable():
        raise msgspec.DecodeError("not an envelope: what stands in columns and log lines must be printable")
    return envelope


def id_of(event: Event) -> str:
    """A new UUID of version 7; of version 8 for a fact that may be told again, made of its time and of what it says.

    Both begin with 48 bits of milliseconds (RFC 9562, sections 5.7 and 5.8), so that an inbox can forget by age.
    """
    if event.happened_at is None:
        return str(uuid7())
    milliseconds = int(event.happened_at.timestamp() * 1000) & (2**48 - 1)
    digest = int.from_bytes(sha256(event.fact.encode()).digest()[:10])
    digits = f"{(milliseconds << 80 | digest) & _FREE | _VERSION_8:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

"""What an event travels in: CloudEvents 1.0, structured JSON (cloudevents.io/spec)."""

from __future__ import annotations

from datetime import datetime

import msgspec
from uuid_utils import uuid7

from ecshop.events.catalog import Event, source_of
from ecshop.kernel.columns import now


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """`id` and `source` together identify an event; `data` stays as it came until somebody handles its type."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: msgspec.Raw
    specversion: str = "1.0"
    datacontenttype: str = "application/json"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


def seal(event: Event) -> Envelope:
    return Envelope(
        id=str(uuid7()),
        source=f"/ecshop/{source_of(event.type)}",
        type=event.type,
        subject=event.subject,
        time=now(),
        data=msgspec.Raw(_encoder.encode(event)),
    )


def to_bytes(envelope: Envelope) -> bytes:
    return _encoder.encode(envelope)


def from_bytes(body: bytes) -> Envelope:
    """Raises `msgspec.DecodeError` for what is no CloudEvents envelope."""
    try:
        return _decoder.decode(body)
    except (UnicodeDecodeError, RecursionError) as cause:
        raise msgspec.DecodeError(f"not an envelope: {cause}") from cause

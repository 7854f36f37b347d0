"""What an event travels in: CloudEvents 1.0, structured JSON (cloudevents.io/spec)."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from uuid_utils import uuid7

from ecshop.events.catalog import CATALOG, Event, source_of
from ecshop.kernel.clock import now


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """`id` and `source` together identify an event; `data` stays as it came until somebody handles its type.

    `requestid` is an extension: the request that caused the event, as its X-Request-ID and its log line have it.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: msgspec.Raw
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    requestid: str | UnsetType = UNSET


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


def seal(event: Event, *, caused_by: str = "") -> Envelope:
    """`caused_by` is the request that counts where the event names none itself."""
    return Envelope(
        id=str(uuid7()),
        source=f"/ecshop/{source_of(event.type)}",
        type=event.type,
        subject=event.subject,
        time=now(),
        data=msgspec.Raw(_encoder.encode(replace(event, request_id="") if event.request_id else event)),
        requestid=event.request_id or caused_by or UNSET,
    )


def opened(envelope: Envelope) -> Event:
    """The event of a type that the catalog knows; raises `msgspec.DecodeError` for data that is not of its type."""
    event = msgspec.json.decode(envelope.data, type=CATALOG[envelope.type])
    return replace(event, request_id=envelope.requestid) if envelope.requestid else event


def to_bytes(envelope: Envelope) -> bytes:
    return _encoder.encode(envelope)


def from_bytes(body: bytes) -> Envelope:
    """Raises `msgspec.DecodeError` for what is no CloudEvents envelope."""
    try:
        return _decoder.decode(body)
    except (UnicodeDecodeError, RecursionError) as cause:
        raise msgspec.DecodeError(f"not an envelope: {cause}") from cause

"""How an event lies in the outbox: as an array of its fields, in a sixth of the bytes of its envelope.

The envelope is made again from it, with what stands beside it in its row.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields, replace

from ecshop.events.catalog import CATALOG, Event
from ecshop.events.envelope import Envelope, envelope_of
from ecshop.kernel.telemetry.cause import Cause

_ARRAY: Final = b"\x90"
"""Arrays begin with this byte or a greater one (msgpack, Formats); JSON, as it came from elsewhere, with a smaller."""
_MICROSECOND: Final = timedelta(microseconds=1)
_encoder: Final = msgspec.msgpack.Encoder(uuid_format="bytes")


class Unreadable(Exception):
    """A newer version of this code has written it, and can read it."""


class Packed(NamedTuple):
    event_id: str
    type: str
    body: bytes
    request_id: str | None
    traceparent: str | None
    recorded_at: datetime


def pack(event: Event, recorded_at: datetime) -> bytes:
    """All but its cause; of its time, how many microseconds it was before `recorded_at`, for that is a small number."""
    said: Any = msgspec.convert(event, _array_of(type(event)), from_attributes=True)
    if event.happened_at is not None:
        said.age = (recorded_at - event.happened_at) // _MICROSECOND
    return _encoder.encode(said)


def unpack(packed: Packed) -> Envelope[Event] | bytes:
    """What has never been packed is given back as it is. Raises `Unreadable`."""
    if packed.body[:1] < _ARRAY:
        return packed.body
    try:
        type_ = CATALOG[packed.type]
        said = _decoder(type_).decode(packed.body)
        event = msgspec.convert(said, type_, from_attributes=True)
    except (KeyError, msgspec.DecodeError) as cause:
        raise Unreadable(f"an event of the type {packed.type}: {cause}") from cause
    moment = packed.recorded_at - (said.age or 0) * _MICROSECOND
    caused = Cause(packed.request_id or "", packed.traceparent or "")
    return envelope_of(replace(event, cause=caused, happened_at=moment), packed.event_id)


@cache
def _decoder(type_: type[Struct]) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(_array_of(type_))


@cache
def _array_of(type_: type[Struct]) -> type[Struct]:
    """The same fields as an array, which has no more in it than is known here: what this code does not know would be
    lost. A new field comes last, with a default.
    """
    age: list[Any] = [("age", int | None, None)] if issubclass(type_, Event) else []
    shape = age + [
        (field.name, _shape(field.type), *(() if field.default is NODEFAULT else (field.default,)))
        for field in fields(type_)
        if field.name not in Event.__struct_fields__
    ]
    name = f"Packed{type_.__name__}"
    return msgspec.defstruct(name, shape, array_like=True, kw_only=True, forbid_unknown_fields=True)


def _shape(type_: Any) -> Any:
    if get_origin(type_) is tuple:
        return tuple[tuple(map(_shape, get_args(type_)))]  # type: ignore[misc]  # made at run time
    return _array_of(type_) if isinstance(type_, type) and issubclass(type_, Struct) else type_

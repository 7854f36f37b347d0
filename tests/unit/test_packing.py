"""Events as they lie in the outbox: nothing is lost, and what is not known here is left to a version that knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from ecshop.events.catalog import CATALOG, Event, OrderCancelled, OrderConfirmed, OrderedUnits, StockDepleted
from ecshop.events.envelope import opened, to_bytes
from ecshop.events.packing import Packed, Unreadable, pack, unpack
from ecshop.events.tables import TYPE_CODES
from ecshop.kernel.telemetry.cause import UNKNOWN, Cause
from tests.events import EXAMPLES, seal

RECORDED, HAPPENED = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC), datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ORDER, BUYER = UUID("01a216c4-5d61-7000-8000-000000000001"), UUID("9e107d9d-3721-4d82-8000-000000000002")


def packed(event: Event, *, body: bytes = b"", cause: Cause = UNKNOWN) -> Packed:
    body = body or pack(event, RECORDED)
    return Packed("e-1", event.type, body, cause.request_id or None, cause.traceparent or None, RECORDED)


def unpacked(one: Packed) -> Event:
    envelope = unpack(one)
    assert not isinstance(envelope, bytes)
    assert envelope.id == one.event_id
    return opened(envelope)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_an_event_is_the_same_after_it_has_lain(event: Event) -> None:
    told = replace(event, cause=Cause("r-1", TRACE), happened_at=HAPPENED)
    assert unpacked(packed(told, cause=told.cause)) == told


def test_an_event_that_does_not_say_when_it_happened_did_when_it_was_recorded() -> None:
    assert unpacked(packed(StockDepleted(7, 12))) == StockDepleted(7, 12, happened_at=RECORDED)


def test_each_type_has_a_code_of_its_own() -> None:
    assert TYPE_CODES.keys() == CATALOG.keys()
    assert len(set(TYPE_CODES.values())) == len(TYPE_CODES)


def test_an_order_lies_in_a_sixth_of_its_envelope() -> None:
    event = OrderConfirmed(uuid7(), 1, uuid7(), (OrderedUnits(7, 2),), 2400, "JPY", cause=Cause(str(uuid7())))
    assert len(pack(event, RECORDED)) * 6 < len(to_bytes(seal(event)))


@dataclass
class Recorded:
    """An event, and how it lay in an outbox when it was given the form that it has now."""

    event: Event
    body: str


@pytest.mark.parametrize(
    "recorded",
    [
        Recorded(
            OrderConfirmed(ORDER, 1, BUYER, (OrderedUnits(7, 2), OrderedUnits(300, 1)), 4700, "EUR"),
            "97c0c41001a216c45d617000800000000000000101c4109e107d9d37214d82800000000000000292"
            "92070292cd012c01cd125ca3455552",
        ),
        Recorded(OrderCancelled(ORDER, 2, restock=False), "94c0c41001a216c45d617000800000000000000102c2"),
        Recorded(OrderCancelled(ORDER, 2), "93c0c41001a216c45d617000800000000000000102"),
        Recorded(StockDepleted(7, 12), "93c0070c"),
        Recorded(StockDepleted(7, 12, happened_at=HAPPENED), "93ce000d6000070c"),
    ],
    ids=["confirmed", "not restocked", "as before it could say so", "depleted", "depleted earlier"],
)
def test_what_an_earlier_version_has_recorded_is_read(recorded: Recorded) -> None:
    one = packed(recorded.event, body=bytes.fromhex(recorded.body))
    assert unpacked(one) == replace(recorded.event, happened_at=recorded.event.happened_at or RECORDED)


def test_what_was_never_packed_is_given_back_as_it_is() -> None:
    body = to_bytes(seal(StockDepleted(7, 12)))
    assert unpack(packed(StockDepleted(7, 12), body=body)) == body


@pytest.mark.parametrize(
    "left",
    [
        packed(StockDepleted(7, 12))._replace(type="ecshop.stock.counted.v1"),
        packed(StockDepleted(7, 12), body=msgspec.msgpack.encode([None, 7, 12, "more"])),
        packed(StockDepleted(7, 12), body=msgspec.msgpack.encode([None, "seven", 12])),
    ],
    ids=["an unknown type", "a field more", "a field of another type"],
)
def test_what_a_newer_version_says_is_not_read_in_half(left: Packed) -> None:
    with pytest.raises(Unreadable):
        unpack(left)

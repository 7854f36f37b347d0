"""Events on their travel: CloudEvents 1.0 outside, the same event inside."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from ecshop.events.catalog import (
    CATALOG,
    Event,
    OrderCancelled,
    OrderFulfilled,
    StockDepleted,
)
from ecshop.events.envelope import from_bytes, opened, to_bytes
from ecshop.kernel.telemetry.cause import UNKNOWN, Cause
from tests.events import EXAMPLES, seal


def test_a_fact_that_is_told_again_has_its_id_again() -> None:
    order, moment = uuid7(), datetime.now(UTC)
    told = [seal(OrderCancelled(order, 2, happened_at=moment, cause=Cause(by))) for by in ("one", "another")]
    assert told[0].id == told[1].id
    assert (UUID(told[0].id).version, told[0].time) == (8, moment)


def test_another_fact_has_another_id() -> None:
    order, moment = uuid7(), datetime.now(UTC)
    facts: list[Event] = [
        OrderCancelled(order, 2, happened_at=moment),
        OrderCancelled(order, 3, happened_at=moment),
        OrderFulfilled(order, 2, happened_at=moment),
        OrderCancelled(uuid7(), 2, happened_at=moment),
    ]
    assert len({seal(fact).id for fact in facts}) == len(facts)


def test_ids_begin_with_the_time_of_the_fact() -> None:
    """So that an inbox can forget by age."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    id_ = UUID(seal(OrderCancelled(uuid7(), 2, happened_at=moment)).id)
    assert id_.int >> 80 == int(moment.timestamp() * 1000)


def test_a_cancellation_restocks_unless_it_says_otherwise() -> None:
    """As those did that were told before it could say so."""
    order = uuid7()
    told = json.loads(to_bytes(seal(OrderCancelled(order, 2))))["data"]
    assert told == {"order_id": str(order), "version": 2}
    assert msgspec.convert(told, OrderCancelled).restock
    assert json.loads(to_bytes(seal(OrderCancelled(order, 2, restock=False))))["data"] == told | {"restock": False}


def test_there_is_an_example_of_every_event() -> None:
    assert {example.type for example in EXAMPLES} == set(CATALOG)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_an_event_travels_as_cloudevents_1_0(event: Event) -> None:
    before = datetime.now(UTC)
    told = json.loads(to_bytes(seal(event)))
    assert set(told) == {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert (told["specversion"], told["datacontenttype"]) == ("1.0", "application/json")
    assert UUID(told["id"]).version == 7
    assert told["source"] == f"/ecshop/{event.type.split('.')[1]}"
    assert (told["type"], told["subject"]) == (event.type, event.subject)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", told["time"])
    assert before <= datetime.fromisoformat(told["time"]) <= datetime.now(UTC)
    assert isinstance(told["data"], dict)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_an_event_is_the_same_after_its_travel(event: Event) -> None:
    envelope = from_bytes(to_bytes(seal(event)))
    assert msgspec.json.decode(envelope.data, type=CATALOG[envelope.type]) == event


TRACE = f"00-{'a1' * 16}-{'b2' * 8}-01"


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_what_has_caused_an_event_travels_in_its_envelope(event: Event) -> None:
    caused = replace(event, cause=Cause("r-1", TRACE))
    told = to_bytes(seal(caused))
    assert (json.loads(told)["requestid"], json.loads(told)["traceparent"]) == ("r-1", TRACE)
    assert "cause" not in json.loads(told)["data"]
    assert opened(from_bytes(told)).cause == caused.cause


@pytest.mark.parametrize("nonsense", ["", "00-1-1-00", "x" * 10_000, f"ff{TRACE[2:]}"])
def test_a_trace_that_is_none_is_no_reason_to_refuse_an_event(nonsense: str) -> None:
    told = json.loads(to_bytes(seal(StockDepleted(7, 12)))) | {"traceparent": nonsense}
    assert opened(from_bytes(json.dumps(told).encode())).cause == UNKNOWN


def test_no_two_events_have_the_same_id() -> None:
    assert len({seal(EXAMPLES[0]).id for _ in range(100)}) == 100


def test_an_envelope_may_say_more_than_is_known_here() -> None:
    told = json.loads(to_bytes(seal(StockDepleted(7, 12)))) | {"tracestate": "a=1"}
    assert from_bytes(json.dumps(told).encode()).subject == "7"

"""Spans: of what is sampled, and of nothing else; whatever becomes of the collector, nobody else notices."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from bench.collector import Collected, Collector, collecting
from ecshop.events.catalog import StockDepleted
from ecshop.events.consumer import Consumer, Delivery
from ecshop.events.envelope import to_bytes
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.telemetry.cause import Cause
from ecshop.kernel.telemetry.otlp import OtlpRecorder
from ecshop.kernel.telemetry.spans import (
    outgoing_traceparent,
    record_by,
    served_span,
    shared_span,
    span,
    span_of,
)
from ecshop.kernel.telemetry.trace import TraceContext, context_of, sampled_traceparent, trace
from entrypoints.local.ports import free_port
from entrypoints.settings import BadSetting, Settings
from entrypoints.tracing import tracing
from tests.events import seal
from tests.waiting import eventually

pytestmark = pytest.mark.anyio

SAMPLED = TraceContext("a1" * 16, "b2" * 8, is_sampled=True)
UNSAMPLED = SAMPLED._replace(is_sampled=False)
RESOURCE = {"service.name": "test"}


@pytest.fixture(autouse=True)
def _no_trace() -> Iterator[None]:
    before = trace.set(None)
    yield
    trace.reset(before)
    record_by(None)


class Recording:
    """Spans go to a real collector."""

    def __init__(self, collector: Collector, ratio: float) -> None:
        self._collector, self._recorder = collector, OtlpRecorder(collector.url, ratio, RESOURCE)
        record_by(self._recorder)

    def spans(self) -> dict[str, Collected]:
        """All that there were, by their names; nothing is recorded any more."""
        self._recorder.close()
        return {one.name: one for one in self._collector.spans}


@pytest.fixture
def recording(request: pytest.FixtureRequest) -> Iterator[Recording]:
    with collecting() as collector:
        yield Recording(collector, getattr(request, "param", 1.0))


def test_a_span_is_part_of_the_one_around_it(recording: Recording) -> None:
    trace.set(SAMPLED)
    with span("outer"), span("inner", "client", {"a": 1}):
        pass
    found = recording.spans()
    assert found["outer"].parent_id == SAMPLED.span_id
    assert found["inner"].parent_id == found["outer"].span_id
    assert {one.trace_id for one in found.values()} == {SAMPLED.trace_id}
    assert (found["inner"].kind, found["inner"].attributes["a"]) == ("client", 1)


def test_after_a_span_what_is_done_is_part_of_the_one_before(recording: Recording) -> None:
    trace.set(SAMPLED)
    with span("over"):
        pass
    assert trace.get() == SAMPLED
    assert recording.spans().keys() == {"over"}


@pytest.mark.parametrize("around", [None, UNSAMPLED, SAMPLED._replace(span_id="")])
def test_of_what_is_not_sampled_there_is_no_span(recording: Recording, around: TraceContext | None) -> None:
    trace.set(around)
    with span("part") as part, span_of(around, "told", "server"), shared_span("shared", "client", [around]):
        assert (part.context, trace.get(), sampled_traceparent()) == (None, around, "")
    assert recording.spans() == {}


def test_where_nobody_records_a_callers_trace_is_passed_on() -> None:
    trace.set(SAMPLED)
    with span("part"):
        assert outgoing_traceparent() == sampled_traceparent() == SAMPLED.traceparent
    trace.set(None)
    assert outgoing_traceparent() == ""


@pytest.mark.parametrize(("recording", "sampled"), [(0.0, 0), (1.0, 200), (0.5, 100)], indirect=["recording"])
def test_so_many_of_the_traces_that_begin_here_are_sampled(recording: Recording, sampled: int) -> None:
    begun = sum(served_span(None).context is not None for _ in range(200))
    assert abs(begun - sampled) <= (60 if 0 < sampled < 200 else 0)


@pytest.mark.parametrize("recording", [0.0, 1.0], indirect=True)
def test_of_a_callers_trace_the_caller_says_it(recording: Recording) -> None:
    assert served_span(UNSAMPLED).context is None
    begun = served_span(SAMPLED).context
    assert begun is not None
    assert begun.trace_id == SAMPLED.trace_id


def test_what_calls_others_without_a_trace_has_none_begin_there(recording: Recording) -> None:
    told = context_of(outgoing_traceparent())
    assert told is not None
    assert not told.is_sampled
    assert recording.spans() == {}


def test_what_is_done_for_several_is_linked_with_those_that_are_sampled(recording: Recording) -> None:
    with shared_span("shared", "client", [None, UNSAMPLED, SAMPLED]) as shared:
        assert trace.get() == shared.context
    found = recording.spans()["shared"]
    assert (found.parent_id, found.links) == ("", (SAMPLED.span_id,))
    assert found.trace_id != SAMPLED.trace_id


@pytest.mark.parametrize(
    ("error", "kind", "failed"),
    [(ValueError("no"), "ValueError", True), (Unavailable("away"), "unavailable", True)],
)
def test_what_failed_says_of_what(recording: Recording, error: Exception, kind: str, failed: bool) -> None:
    trace.set(SAMPLED)
    with pytest.raises(type(error)), span("failing"):
        raise error
    found = recording.spans()["failing"]
    assert (found.attributes["error.type"], found.failed) == (kind, failed)


def test_a_burst_is_sent_before_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecshop.kernel.telemetry.otlp._SEND_EVERY", 3600.0)
    with collecting() as collector:
        recording = Recording(collector, 1.0)
        for _ in range(1000):
            served_span(None).end()
        eventually(lambda: bool(collector.spans), True)
        recording.spans()
        assert len(collector.spans) == 1000


def test_a_collector_that_is_away_holds_up_nobody() -> None:
    recorder = OtlpRecorder(f"http://127.0.0.1:{free_port()}", 1.0, RESOURCE)
    record_by(recorder)
    began = time.monotonic()
    for _ in range(3000):
        served_span(None).end()
    recorder.close()
    assert time.monotonic() - began < 5


def test_it_is_said_when_spans_are_dropped() -> None:
    recorder = OtlpRecorder(f"http://127.0.0.1:{free_port()}", 1.0, RESOURCE)
    record_by(recorder)
    with capture_logs() as said:
        for _ in range(6000):
            served_span(None).end()
        eventually(lambda: any("spans are dropped" in line["event"] for line in said), True)
    recorder.close()


def test_a_batch_that_cannot_be_sent_ends_no_other(recording: Recording, caplog: pytest.LogCaptureFixture) -> None:
    unwritable = served_span(None)
    unwritable.name("\ud800")  # half of a character, which no protocol can carry
    unwritable.end()
    eventually(lambda: "Failed to encode" in caplog.text, True)
    following = served_span(None)
    following.name("following")
    following.end()
    assert recording.spans().keys() == {"following"}


def test_without_the_sdk_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ecshop.kernel.telemetry.otlp", None)
    collected = Settings(otlp_endpoint="http://127.0.0.1:4318")
    with pytest.raises(BadSetting, match=r"ecshop\[otel\]"), tracing(collected, "shop"):
        raise AssertionError("it must not come so far")


async def test_each_try_of_an_event_is_a_span_of_its_own(recording: Recording, database: Database) -> None:
    tries: list[str] = []

    def fails_first(_session: Session, events: Sequence[StockDepleted]) -> list[str]:
        tries.append(events[0].cause.traceparent)
        if len(tries) == 1:
            raise ValueError("a bug")
        return ["noted"]

    consumer = Consumer("shelf", database, {StockDepleted: fails_first}, backoff=[timedelta(0)])
    body = to_bytes(seal(StockDepleted(1, 1, cause=Cause("r-1", SAMPLED.traceparent))))
    for attempts in (0, 1):
        await consumer.handle([Delivery(body, attempts)])
    recording.spans()
    spans = recording._collector.spans
    assert [(one.name, one.parent_id) for one in spans] == [(f"process {StockDepleted.type}", SAMPLED.span_id)] * 2
    contexts = [context_of(one) for one in tries]
    assert [one.span_id for one in contexts if one] == [one.span_id for one in spans]

"""One trace from the click to the product that goes off sale, over batched calls, outbox and broker."""

from __future__ import annotations

from bench.collector import Collector
from tests.flows.test_joined_by_request import applied, log_of
from tests.flows.tracing import AS_SERVICES, IN_ONE_PROCESS, new_trace, sell_the_last_units, shape_of, spans_of
from tests.shops import RunningShop
from tests.waiting import eventually


def test_one_trace_goes_from_the_click_to_sold_out(shop: RunningShop, collector: Collector) -> None:
    trace, whole = new_trace(), AS_SERVICES if shop.gateway else IN_ONE_PROCESS
    sell_the_last_units(shop, trace)
    eventually(lambda: shape_of(spans_of(collector, trace)), whole)
    assert not any(span.failed for span in spans_of(collector, trace))


def test_what_is_sent_together_is_linked_with_the_order_on_both_sides(apart: RunningShop, collector: Collector) -> None:
    trace = new_trace()
    sell_the_last_units(apart, trace)
    eventually(lambda: shape_of(spans_of(collector, trace)), AS_SERVICES)
    known = {span.span_id: span for span in collector.spans}
    linked = {span.name: [known[one].name for one in span.links] for span in spans_of(collector, trace) if span.links}
    assert linked == {
        "call /internal/quotes": ["together /internal/quotes"],
        "serve quote": ["POST /internal/quotes"],
        "call /internal/reservations": ["together /internal/reservations"],
        "serve reserve": ["POST /internal/reservations"],
    }


def test_a_refusal_is_no_failure_of_a_trace_and_says_why(shop: RunningShop, collector: Collector) -> None:
    trace = new_trace()
    shop.order(shop.new_product(stock=1), 2, traceparent=trace.traceparent)
    eventually(lambda: [span.name for span in spans_of(collector, trace)][:1], ["POST /order"])
    request = spans_of(collector, trace)[0]
    assert (request.attributes["ecshop.code"], request.attributes["http.response.status_code"]) == (
        "stock.insufficient",
        409,
    )
    assert not any(span.failed for span in spans_of(collector, trace))


def test_a_trace_that_is_not_sampled_leaves_no_span_and_its_id_in_the_log(
    shop: RunningShop, collector: Collector
) -> None:
    silent, heard = new_trace(sampled=False), new_trace()
    for trace in (silent, heard):
        sell_the_last_units(shop, trace)
    eventually(lambda: shape_of(spans_of(collector, heard)), AS_SERVICES if shop.gateway else IN_ONE_PROCESS)
    assert spans_of(collector, silent) == []
    eventually(lambda: [line["path"] for line in log_of(shop, silent.id)], ["/order"])


def test_each_line_that_a_sampled_order_has_caused_names_its_trace(shop: RunningShop) -> None:
    trace = new_trace()
    sell_the_last_units(shop, trace)
    eventually(lambda: sorted(line["did"] for line in applied(shop, trace.id)), ["committed", "sold out"])
    eventually(lambda: [line["path"] for line in log_of(shop, trace.id) if line["event"] == "request"], ["/order"])

"""What a shop counts: each request by its route, what became of orders and events, and no id among the labels."""

from __future__ import annotations

import re

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as of_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from bench import patient
from ecshop import __version__
from entrypoints.contexts import NAMES
from tests.promtool import promtool
from tests.shops import RunningShop
from tests.waiting import eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OPENMETRICS = {"accept": "application/openmetrics-text;version=1.0.0"}


def _sum(shop: RunningShop, context: str, name: str, /, **labels: str) -> float:
    """Of all series of that name that have these labels."""
    families = text_string_to_metric_families(shop.metrics(context))
    samples = [sample for family in families for sample in family.samples]
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def _requests(shop: RunningShop, context: str, method: str, route: str, status: int) -> float:
    labels = {"http_request_method": method, "http_route": route, "http_response_status_code": str(status)}
    return _sum(shop, context, "http_server_request_duration_seconds_count", **labels)


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("GET", "/products/{id}", ("GET", "/products/{product_id}", 200)),
        ("HEAD", "/products/{id}", ("HEAD", "/products/{product_id}", 200)),
        ("GET", "/products/0", ("GET", "/products/{product_id}", 400)),
        ("GET", "/products/nothing/here", ("GET", "", 404)),
        ("POST", "/products/{id}", ("POST", "", 405)),
        ("PROPFIND", "/products", ("_OTHER", "", 405)),
    ],
)
def test_each_request_is_counted_under_its_route(
    shop: RunningShop, method: str, path: str, counted: tuple[str, str, int]
) -> None:
    where = f"{shop.server.url('product')}{path.replace('{id}', str(shop.new_product()))}"
    before = _requests(shop, "product", *counted)
    assert patient.request(method, where).status_code == counted[-1]
    eventually(lambda: _requests(shop, "product", *counted), before + 1)


def test_what_became_of_orders_and_their_units_is_counted(shop: RunningShop) -> None:
    product = shop.new_product(stock=3)

    def counted() -> list[float]:
        orders = [
            _sum(shop, "order", "ecshop_orders_total", outcome=one) for one in ("confirmed", "stock.insufficient")
        ]
        units = [_sum(shop, "stock", "ecshop_stock_units_total", outcome=one) for one in ("reserved", "refused")]
        return [*orders, *units]

    before = counted()
    shop.order(product, 2).raise_for_status()
    assert shop.order(product, 5).status_code == 409
    assert [after - one for one, after in zip(before, counted(), strict=True)] == [1, 1, 2, 5]


def test_events_are_counted_by_what_their_listener_did_and_by_how_late_it_was(shop: RunningShop) -> None:
    labels = {"consumer": "stock", "type": "ecshop.order.confirmed.v1"}
    before = _sum(shop, "stock", "ecshop_events_handled_total", **labels)
    late = _sum(shop, "stock", "ecshop_event_lag_seconds_count", consumer="stock")
    published = _sum(shop, "order", "ecshop_events_published_total", context="order")
    shop.order(shop.new_product(stock=1), 1).raise_for_status()
    eventually(lambda: _sum(shop, "stock", "ecshop_events_handled_total", **labels) > before, True)
    eventually(lambda: _sum(shop, "stock", "ecshop_event_lag_seconds_count", consumer="stock") > late, True)
    eventually(lambda: _sum(shop, "order", "ecshop_events_published_total", context="order") > published, True)


def test_transactions_are_counted_by_their_database(shop: RunningShop) -> None:
    labels = {"db_namespace": "product", "db_operation_name": "write"}
    before = _sum(shop, "product", "ecshop_database_batch_items_sum", **labels)
    shop.new_product()
    assert _sum(shop, "product", "ecshop_database_batch_items_sum", **labels) > before
    assert _sum(shop, "product", "db_client_operation_duration_seconds_count", **labels) > 0
    assert _sum(shop, "product", "ecshop_database_waiting", **labels) >= 0


def test_a_token_that_is_refused_is_counted(shop: RunningShop) -> None:
    before = _sum(shop, "order", "ecshop_tokens_refused_total")
    assert shop.call("GET", "/orders", "no token").status_code == 401
    assert _sum(shop, "order", "ecshop_tokens_refused_total") == before + 1


def test_calls_to_neighbours_are_counted_and_the_requests_that_they_shared(apart: RunningShop) -> None:
    def counted() -> list[float]:
        return [
            _sum(apart, "order", f"ecshop_neighbour_{what}_total", neighbour="stock") for what in ("calls", "requests")
        ]

    before = counted()
    apart.order(apart.new_product(stock=1), 1).raise_for_status()
    calls, requests = (after - one for one, after in zip(before, counted(), strict=True))
    assert calls >= requests >= 1


@pytest.mark.parametrize("context", NAMES)
def test_every_process_says_what_it_is_and_no_label_is_an_id(apart: RunningShop, context: str) -> None:
    product = apart.new_product(stock=1)
    order = apart.order(product, 1).json()["id"]
    apart.call("GET", f"/orders/{order}", apart.customer)
    assert _sum(apart, context, "ecshop_build_info", version=__version__) == 1
    told = apart.metrics(context)
    labels = set(re.findall(r'\w+="([^"]*)"', told))
    assert not [value for value in labels if re.fullmatch(r"[0-9a-f-]{32,36}", value)]
    assert order not in told


def test_a_sampled_trace_is_an_exemplar_where_the_format_has_such(shop: RunningShop) -> None:
    url = shop.server.url("product")
    patient.get(f"{url}/products", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}).raise_for_status()
    told = patient.get(f"{url}/metrics", headers=OPENMETRICS)
    assert told.headers["content-type"].startswith("application/openmetrics-text")
    samples = [sample for family in of_openmetrics(told.text) for sample in family.samples]  # type: ignore[no-untyped-call]
    assert {"trace_id": TRACE} in [sample.exemplar.labels for sample in samples if sample.exemplar]


def test_prometheus_has_nothing_against_its_form(shop: RunningShop) -> None:
    assert promtool("check", "metrics", given=shop.metrics("order")) == ""

"""A request, the order that it placed and the events that it caused are joined by one id, in the log and on the way."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from entrypoints.operations.shop_data import beside_the_shop
from tests import events
from tests.shops import RunningShop
from tests.waiting import eventually


def log_of(shop: RunningShop, request_id: str) -> list[dict[str, Any]]:
    """The lines that carry the id, whichever process of the shop wrote them."""
    lines = (shop.folder / "output.log").read_text().splitlines()
    written = [line[line.index("{") :] for line in lines if request_id in line and "{" in line]
    return [json.loads(line) for line in written if line.endswith("}")]


def events_of(shop: RunningShop, request_id: str) -> list[tuple[str, str, str]]:
    """Which consumer did what with which event of this cause, by the log."""
    return sorted((line["consumer"], line["type"], line["did"]) for line in applied(shop, request_id))


def subjects_of(shop: RunningShop, request_id: str) -> list[str]:
    return [line["subject"] for line in applied(shop, request_id)]


def applied(shop: RunningShop, request_id: str) -> list[dict[str, Any]]:
    """A stream of a broker brings all events of a context, also those that a consumer does not listen to."""
    lines = [line for line in log_of(shop, request_id) if line["event"] == "event received"]
    return [line for line in lines if line["did"] != "ignored: not listened to"]


def recorded(shop: RunningShop, context: str, request_id: str) -> list[str]:
    """The types of the events in a context's outbox that name the request."""
    found = beside_the_shop(shop.settings, context, events.recorded)
    return [event.type for event in found if event.cause.request_id == request_id]


def test_the_line_of_a_request_names_the_order_that_it_placed(shop: RunningShop) -> None:
    request_id = f"r-{uuid4()}"
    order = shop.order(shop.new_product(stock=5), 1, **{"X-Request-ID": request_id}).json()
    eventually(lambda: [line["order_id"] for line in log_of(shop, request_id) if "order_id" in line], [order["id"]])


def test_the_line_of_a_refused_request_names_the_code(shop: RunningShop) -> None:
    request_id = f"r-{uuid4()}"
    refused = shop.order(shop.new_product(stock=1), 2, **{"X-Request-ID": request_id})
    assert refused.json()["code"] == "stock.insufficient"
    eventually(
        lambda: {line["code"] for line in log_of(shop, request_id) if line.get("path") == "/order" and "code" in line},
        {"stock.insufficient"},
    )


def test_events_name_the_request_that_caused_them_down_to_the_last(shop: RunningShop) -> None:
    request_id = f"r-{uuid4()}"
    product = shop.new_product(stock=2)
    order = shop.order(product, 2, **{"X-Request-ID": request_id}).json()
    eventually(
        lambda: events_of(shop, request_id),
        [
            ("product", "ecshop.stock.depleted.v1", "sold out"),
            ("stock", "ecshop.order.confirmed.v1", "committed"),
        ],
    )
    assert recorded(shop, "order", request_id) == ["ecshop.order.confirmed.v1"]
    assert recorded(shop, "stock", request_id) == ["ecshop.stock.depleted.v1"]

    cancelling = f"r-{uuid4()}"
    path = f"/orders/{order['id']}/cancel"
    shop.call("POST", path, shop.customer, headers={"X-Request-ID": cancelling}).raise_for_status()
    eventually(
        lambda: events_of(shop, cancelling),
        [
            ("product", "ecshop.stock.replenished.v1", "in stock"),
            ("stock", "ecshop.order.cancelled.v1", "returned"),
        ],
    )


def test_orders_that_are_recorded_together_keep_their_own_requests(shop: RunningShop) -> None:
    """What waits is done in one transaction; each event still names the request of its own order."""
    product, ids = shop.new_product(stock=100), [f"r-{uuid4()}" for _ in range(20)]
    with ThreadPoolExecutor(len(ids)) as buyers:
        answers = buyers.map(lambda one: shop.order(product, 1, **{"X-Request-ID": one}).json(), ids)
        orders = dict(zip(ids, (answer["id"] for answer in answers), strict=True))
    eventually(lambda: {one: subjects_of(shop, one) for one in ids}, {one: [order] for one, order in orders.items()})

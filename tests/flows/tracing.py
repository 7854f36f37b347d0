"""Traces that a client asks for, and what becomes of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.collector import Collected, Collector
from tests.shops import RunningShop
from tests.waiting import eventually

SOLD_OUT = """
{order} POST /order
{order}   {reserving}
{order}   record
{order}   send ecshop.order.confirmed.v1
{stock}     process ecshop.order.confirmed.v1
{stock}       send ecshop.stock.depleted.v1
{product}         process ecshop.stock.depleted.v1
"""
IN_ONE_PROCESS = SOLD_OUT.format(order="shop", stock="shop", product="shop", reserving="reserve")
AS_SERVICES = SOLD_OUT.format(
    order="order",
    stock="stock",
    product="product",
    reserving="""call /internal/quotes
product     serve quote
order   call /internal/reservations
stock     serve reserve
stock       reserve""",
)


class Trace(NamedTuple):
    """As a client begins it."""

    id: str
    traceparent: str


def new_trace(*, sampled: bool = True) -> Trace:
    id_ = secrets.token_hex(16)
    return Trace(id_, f"00-{id_}-{secrets.token_hex(8)}-{sampled:02x}")


def spans_of(collector: Collector, trace: Trace) -> list[Collected]:
    """The earliest first."""
    return sorted((span for span in collector.spans if span.trace_id == trace.id), key=lambda span: span.began)


def shape_of(spans: Sequence[Collected]) -> str:
    """A line for each span, under its parent, without its time.

    A look for the product is left out: it may have been read just before.
    """
    known = {span.span_id for span in spans}
    lines = [line for root in spans if root.parent_id not in known for line in _branch(spans, root, "")]
    return "\n".join(["", *lines, ""])


def sell_the_last_units(shop: RunningShop, trace: Trace) -> None:
    product = shop.new_product(stock=2)
    shop.order(product, 2, traceparent=trace.traceparent).raise_for_status()
    eventually(lambda: shop.product(product)["status"], False)


def _branch(spans: Sequence[Collected], span: Collected, indent: str) -> Iterator[str]:
    yield f"{span.service} {indent}{span.name}"
    for child in spans:
        if child.parent_id == span.span_id and child.name != "find":
            yield from _branch(spans, child, f"{indent}  ")

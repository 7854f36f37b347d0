"""Orders that are none: each is told what is wrong with it, and changes nothing."""

from __future__ import annotations

import json
from typing import Final

import pytest

from tests.flows.bad_input import (
    GOOD_ORDER,
    INVALID,
    JSON,
    MALFORMED,
    NOT_INT64,
    NOT_TEXT,
    NOT_WHOLE_NUMBERS,
    cases,
    ids,
    line,
    lines,
    one_shape_is_enough,
    untouched,
)
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop

pytestmark = one_shape_is_enough

ORDERS: Final = [
    *(lines(line(quantity=text)) for text in (*NOT_WHOLE_NUMBERS, *NOT_INT64, "0", "-1", "10001")),
    *(lines(line(product=text)) for text in (*NOT_WHOLE_NUMBERS, *NOT_INT64, "0", "-1")),
    lines(line(rest=', "price": 1')),
    lines(line(), line("UNSTOCKED", "0")),
    lines('{"quantity": 1}'),
    lines('{"product_id": PRODUCT}'),
    lines("{}"),
    lines("1"),
    lines("null"),
    lines("[PRODUCT, 1]"),
    lines(),
    lines(line(), line()),
    lines(*(line(str(number)) for number in range(1, 102))),
    "{}",
    '{"lines": null}',
    '{"lines": {}}',
    '{"lines": "PRODUCT"}',
    GOOD_ORDER[:-1] + ', "user_id": "01a208cf-ca8f-7408-a679-bf3a1688dcc1"}',
    GOOD_ORDER[:-1] + ', "total": 1}',
    GOOD_ORDER.replace("lines", "Lines"),
]


@pytest.mark.parametrize("content", ORDERS, ids=ids)
def test_an_order_that_is_not_one_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /orders", content), *INVALID)


def test_what_is_wrong_is_told_with_its_place(shop: RunningShop) -> None:
    wanted = {"lines": [{"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 0}]}
    refused = shop.call("POST", "/orders", shop.customer, json=wanted)
    assert refused.json()["errors"] == [
        {"field": "lines[1].quantity", "message": "must be a whole number from 1 to 10000"}
    ]


BAD_NUMBERS_IN_A_QUERY: Final = (
    "3.0",
    "1e0",
    "abc",
    "",
    "0",
    "-1",
    str(2**63),
    "9" * 5000,
    "true",
    "null",
    "%2B1",
    "%201",
    "1_0",
    "0x1",
)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "product_id=PRODUCT",
        "quantity=1",
        *(f"product_id=PRODUCT&quantity={text}" for text in (*BAD_NUMBERS_IN_A_QUERY, "1.5", "10001", "%D9%A3", "%FF")),
        *(f"quantity=1&product_id={text}" for text in (*BAD_NUMBERS_IN_A_QUERY, "1.5", "%00")),
        "PRODUCT_ID=PRODUCT&QUANTITY=1",
        "product_id=PRODUCT;quantity=1",
        "product_id=PRODUCT&quantity=1&quantity=2",
    ],
    ids=ids,
)
def test_a_one_line_order_that_is_not_one_is_refused(shop: RunningShop, query: str) -> None:
    with untouched(shop) as target:
        path = f"/order?{query.replace('PRODUCT', str(target.product))}"
        assert_refused(shop.call("POST", path, target.buyer), *INVALID)


CANCELLATIONS: Final = cases(
    {"reason": "ordered twice", "restock": True},
    reason=(*NOT_TEXT, '""', '" "', '"\\u3000\\n"', json.dumps("x" * 201)),
    restock=("null", "0", "1", '"true"', '"false"'),
    status=('"cancelled"',),
    cancelled_by=('"shop"',),
)


@pytest.mark.parametrize("content", CANCELLATIONS, ids=ids)
def test_a_cancellation_that_is_not_one_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /orders/{order}/cancel", content), *INVALID)


@pytest.mark.parametrize("path", ["/orders", "/order?product_id=PRODUCT&quantity=1"])
@pytest.mark.parametrize("key", ["", "x" * 256, "x" * 10_000, "two words", "tab\there"], ids=ids)
def test_an_idempotency_key_that_is_not_one_is_refused(shop: RunningShop, path: str, key: str) -> None:
    with untouched(shop) as target:
        headers = {**JSON, "idempotency-key": key}
        content = GOOD_ORDER if path == "/orders" else b""
        operation = f"POST {path.replace('PRODUCT', str(target.product))}"
        assert_refused(target.send(operation, content, headers), *INVALID)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "1_0", "1e"])
def test_a_quantity_that_is_not_json_is_refused(shop: RunningShop, number: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /orders", lines(line(quantity=number))), *MALFORMED)

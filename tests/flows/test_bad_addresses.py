"""Paths, queries, cursors and methods that are wrong: each is told what is wrong with it."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest

from tests.flows.bad_input import (
    GOOD,
    INVALID,
    NOWHERE,
    Refusal,
    ids,
    one_shape_is_enough,
    untouched,
)
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop

pytestmark = one_shape_is_enough


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/products/abc", NOWHERE),
        ("/products/1.0", NOWHERE),
        ("/products/%FF", NOWHERE),
        ("/products/%00", NOWHERE),
        ("/products/1/2", NOWHERE),
        (f"/products/{'9' * 5000}", NOWHERE),
        ("/products/0", INVALID),
        ("/products/-1", INVALID),
        (f"/products/{2**63}", INVALID),
        ("/products/99999999999999999999", INVALID),
        (f"/products/{2**63 - 1}", (404, "product.not_found")),
        ("/categories/0", INVALID),
        (f"/categories/{2**63}", INVALID),
        (f"/categories/{2**63 - 1}", (404, "category.not_found")),
        ("/stock/abc", NOWHERE),
        ("/stock/0", INVALID),
        ("/stock/99999999999999999999", INVALID),
        (f"/stock/{2**63 - 1}", (404, "stock.not_found")),
        (f"/stock/{2**63 - 1}/movements", (404, "stock.not_found")),
        ("/stock/0/movements", INVALID),
        ("/orders/not-a-uuid", NOWHERE),
        ("/orders/1", NOWHERE),
        ("/orders/00000000-0000-0000-0000-000000000000", (404, "order.not_found")),
    ],
    ids=ids,
)
def test_a_path_to_nothing_is_told_so(shop: RunningShop, path: str, refusal: Refusal) -> None:
    assert_refused(shop.call("GET", path, shop.staff), *refusal)


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999"])
def test_a_number_that_no_row_can_have_is_refused(shop: RunningShop, number: str) -> None:
    with untouched(shop) as target:
        for path in ("/products", "/categories", "/stock"):
            assert_refused(shop.call("DELETE", f"{path}/{number}", shop.staff), *INVALID)
        for operation in ("PUT /products/N", "PUT /categories/N", "PUT /stock/N", "POST /stock/N/adjustments"):
            good = next(body for one, body in GOOD.items() if one.split("{")[0] == operation.split("N")[0])
            assert_refused(target.send(operation.replace("N", number), good), *INVALID)


LISTS: Final = ("/products", "/categories", "/stock", "/orders", "/stock/{}/movements")


@pytest.mark.parametrize(
    "query",
    [
        "cursor=%FF",
        *(f"limit={text}" for text in ("0", "-1", "101", "abc", "", "1.5", "1.0", "true", str(2**63), "9" * 5000)),
        f"cursor={'a' * 5_000}",
        "limit=1&limit=abc",
        "limit=1&limit=2",
    ],
    ids=ids,
)
def test_a_list_with_a_bad_query_is_refused(shop: RunningShop, query: str) -> None:
    product = shop.new_product(stock=5)
    for path in LISTS:
        assert_refused(shop.call("GET", f"{path.format(product)}?{query}", shop.staff), *INVALID)


@pytest.mark.parametrize(
    "cursor",
    ["", "garbage", "%C3%A4", "null", "e30", "NQ", "W10", "WyJpZCJd", "WyJldmlsIiwxXQ", "W1tbW1tbW1tb"],
)
def test_a_cursor_that_the_list_did_not_make_is_refused(shop: RunningShop, cursor: str) -> None:
    product = shop.new_product(stock=5)
    for path in LISTS:
        answer = shop.call("GET", f"{path.format(product)}?cursor={cursor}", shop.staff)
        assert_refused(answer, 400, "request.invalid_cursor")


@pytest.mark.parametrize(
    "row",
    [
        [2**63],
        [2**64],
        [10**30],
        [-(2**63) - 1],
        ["2026-01-01T00:00:00", "01a208cf-ca8f-7408-a679-bf3a1688dcc1"],
    ],
    ids=ids,
)
def test_a_cursor_that_names_what_no_row_can_have_is_refused(shop: RunningShop, row: list[Any]) -> None:
    product = shop.new_product(stock=5)
    sorts = {"/products": "id", "/categories": "id", "/stock": "product_id", "/orders": "-placed_at"}
    for path, sort in (*sorts.items(), (f"/stock/{product}/movements", "-id"), ("/products?sort=name", "name")):
        cursor = base64.urlsafe_b64encode(json.dumps([sort, *row]).encode()).decode().rstrip("=")
        answer = shop.call("GET", path + ("&" if "?" in path else "?") + f"cursor={cursor}", shop.staff)
        assert_refused(answer, 400, "request.invalid_cursor")


@pytest.mark.parametrize(
    "path",
    [
        "/products?sort=evil",
        "/products?name=%00",
        "/products?q=a%00b",
        "/products?sort=",
        "/products?sort=ID",
        "/products?sort=--id",
        "/products?sort=stock_version",
        "/products?sort=name;drop",
        "/products?in_stock=maybe",
        "/products?in_stock=",
        "/products?in_stock=2",
        "/products?category_id=abc",
        "/products?category_id=0",
        f"/products?category_id={2**63}",
        f"/products?name={'x' * 201}",
        f"/products?q={'x' * 201}",
        "/orders?status=evil",
        "/orders?status=",
        "/orders?status=CONFIRMED",
    ],
    ids=ids,
)
def test_a_filter_that_the_list_does_not_have_is_refused(shop: RunningShop, path: str) -> None:
    assert_refused(shop.call("GET", path, shop.staff), *INVALID)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/products", {"GET", "POST"}),
        ("PATCH", "/products/1", {"GET", "PUT", "DELETE"}),
        ("POST", "/products/1", {"GET", "PUT", "DELETE"}),
        ("PUT", "/stock", {"GET", "POST"}),
        ("GET", "/order", {"POST"}),
        ("DELETE", "/orders", {"GET", "POST"}),
        ("GET", "/auth/login", {"POST"}),
    ],
)
def test_a_method_that_is_not_served_is_told_which_are(
    shop: RunningShop, method: str, path: str, allowed: set[str]
) -> None:
    answer = shop.call(method, path, shop.staff)
    assert_refused(answer, 405, "http.method_not_allowed")
    assert allowed <= set(answer.headers["allow"].replace(" ", "").split(","))

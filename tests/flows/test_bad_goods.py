"""Products, categories and stock that are none: each is told what is wrong with it, and changes nothing."""

from __future__ import annotations

import json
from typing import Final

import pytest

from tests.flows.bad_input import (
    INVALID,
    INVISIBLE,
    NO_NAMES,
    NOT_INT64,
    NOT_TEXT,
    NOT_WHOLE_NUMBERS,
    cases,
    ids,
    one_shape_is_enough,
    untouched,
)
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop

pytestmark = one_shape_is_enough

PRODUCT: Final = {"name": "Tea", "price": 1200}
PRODUCT_FIELDS: Final[dict[str, tuple[str | None, ...]]] = {
    "name": (*NOT_TEXT, *NO_NAMES, '""', '"  "', '"\\t\\n"', '"\\u00a0\\u3000"', json.dumps("x" * 201)),
    "price": (*NOT_WHOLE_NUMBERS, *NOT_INT64, "-1", str(10**12 + 1)),
    "detail": (*NOT_TEXT, *map(json.dumps, INVISIBLE), json.dumps("x" * 4001)),
    "currency": (*NOT_TEXT, '""', '"jpy"', '"YEN!"', '"JPY\\n"', '"JPYE"', '"\\u00c9UR"', '"ZZZ"', '"DEM"', '"XXX"'),
    "category_id": ('"1"', "1.0", "true", "0", "-1", *NOT_INT64),
    "on_sale": ("1", "0", '"true"', "null"),
    "status": ("1", '"on"', "null"),
    "id": ("1",),
    "in_stock": ("true",),
    "stock": ("5",),
}


@pytest.mark.parametrize("content", cases(PRODUCT, **PRODUCT_FIELDS, **{"na me": ("1",)}), ids=ids)
def test_a_product_that_is_not_one_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /products", content), *INVALID)


def test_what_cannot_be_seen_is_named_by_its_field_and_its_number(shop: RunningShop) -> None:
    says = "must not hold control or invisible characters; U+200B is one"
    for operation, content, field in (
        ("POST /products", '{"name": "Te\\u200ba", "price": 1}', "name"),
        ("PUT /products/{product}", '{"detail": "Te\\u200ba"}', "detail"),
        ("POST /categories", '{"name": "Te\\u200ba"}', "name"),
        ("POST /stock/{product}/adjustments", '{"delta": 1, "reason": "Te\\u200ba"}', "reason"),
        ("POST /auth/signup", '{"user_name": "Te\\u200ba", "password": "correct horse battery"}', "user_name"),
    ):
        with untouched(shop) as target:
            answer = target.send(operation, content)
            assert_refused(answer, *INVALID)
            assert answer.json()["errors"] == [{"field": field, "message": says}]


@pytest.mark.parametrize("content", ["{}", *cases(PRODUCT, name=(None,), price=(None,))], ids=ids)
def test_a_product_without_name_or_price_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /products", content), *INVALID)


@pytest.mark.parametrize("content", cases({"detail": "changed"}, **PRODUCT_FIELDS), ids=ids)
def test_a_change_of_a_product_with_one_bad_field_changes_no_field(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("PUT /products/{product}", content), *INVALID)


CATEGORIES: Final = [
    *cases({}, name=(*NOT_TEXT, *NO_NAMES, '""', '" "', '"\\u3000"', json.dumps("x" * 101))),
    *cases({"name": "Tea"}, id=("1",)),
    "{}",
]


@pytest.mark.parametrize("operation", ["POST /categories", "PUT /categories/{category}"])
@pytest.mark.parametrize("content", CATEGORIES, ids=ids)
def test_a_category_that_is_not_one_is_refused(shop: RunningShop, operation: str, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send(operation, content), *INVALID)


BAD_UNITS: Final = (*NOT_WHOLE_NUMBERS, *NOT_INT64, "-1", str(10**12 + 1))
NEW_STOCK: Final = [
    *(f'{{"product_id": UNSTOCKED, "stock": {text}}}' for text in BAD_UNITS),
    *(f'{{"product_id": {text}, "stock": 5}}' for text in (*NOT_WHOLE_NUMBERS, *NOT_INT64, "0", "-1")),
    '{"product_id": UNSTOCKED, "stock": 5, "reserved": 1}',
    '{"product_id": UNSTOCKED}',
    '{"stock": 5}',
    "{}",
]


@pytest.mark.parametrize("content", NEW_STOCK, ids=ids)
def test_stock_that_is_not_a_number_of_units_is_not_registered(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /stock", content), *INVALID)


LEVELS: Final = [*cases({}, stock=BAD_UNITS), *cases({"stock": 9}, version=("1",), product_id=("1",)), "{}"]


@pytest.mark.parametrize("content", LEVELS, ids=ids)
def test_stock_is_not_set_to_what_is_not_a_number_of_units(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("PUT /stock/{product}", content), *INVALID)


ADJUSTMENTS: Final = cases(
    {"delta": 1, "reason": "delivery"},
    delta=(*NOT_WHOLE_NUMBERS, *NOT_INT64, "0", "-0", str(10**12 + 1), str(-(10**12) - 1), None),
    reason=(*NOT_TEXT, *NO_NAMES, '""', '" "', json.dumps("x" * 201), None),
    reference=('"01a208cf-ca8f-7408-a679-bf3a1688dcc1"',),
)


@pytest.mark.parametrize("content", ADJUSTMENTS, ids=ids)
def test_an_adjustment_that_is_not_one_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /stock/{product}/adjustments", content), *INVALID)

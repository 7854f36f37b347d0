"""Bodies that no operation reads, whichever it is, and those that every operation reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.flows.bad_input import (
    FORM,
    GOOD,
    INVALID,
    JSON,
    MALFORMED,
    TAKES_LESS,
    TOO_LARGE,
    WRONG_TYPE,
    ids,
    line,
    lines,
    one_shape_is_enough,
    untouched,
)
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop

pytestmark = one_shape_is_enough


@pytest.mark.parametrize("content", ["null", "[]", '""', "1", "true", '"x"', "[" * 30_000, "{}"], ids=ids)
def test_a_body_of_another_shape_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        for operation in GOOD:
            if content not in TAKES_LESS.get(operation, ()):
                assert_refused(target.send(operation, content), *INVALID)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda good: good[:-1], id="cut off"),
        pytest.param(lambda good: good + "x", id="with something behind it"),
        pytest.param(lambda good: good + good, id="twice"),
        pytest.param(lambda good: good.replace('"', "'"), id="in single quotes"),
        pytest.param(lambda good: good[:-1] + ",}", id="with a comma too many"),
        pytest.param(lambda good: "\ufeff" + good, id="with a byte order mark"),
        pytest.param(lambda good: good.replace("{", "{/* */", 1), id="with a comment"),
        pytest.param(lambda good: "\0" + good, id="with a NUL before it"),
        pytest.param(lambda _: " \n", id="blank"),
        pytest.param(lambda _: "NaN", id="not a number"),
        pytest.param(lambda _: "username=aoi&password=x", id="a form"),
        pytest.param(lambda good: good.encode("utf-16"), id="in UTF-16"),
        pytest.param(lambda good: good.encode("utf-16-le"), id="in UTF-16 without a mark"),
        pytest.param(lambda good: good.encode("utf-32-be"), id="in UTF-32"),
        pytest.param(lambda _: b"\xff\xfe\x00", id="of arbitrary bytes"),
        pytest.param(lambda _: b'{"\xff": 1}', id="with a name that is not UTF-8"),
        pytest.param(lambda _: b'{"\xed\xa0\x80": 1}', id="with a surrogate in UTF-8"),
        pytest.param(lambda _: '{"\\ud800": 1}', id="with a lone surrogate"),
    ],
)
def test_a_body_that_is_not_json_is_refused(shop: RunningShop, spoil: Callable[[str], str | bytes]) -> None:
    with untouched(shop) as target:
        for operation, good in GOOD.items():
            assert_refused(target.send(operation, spoil(good)), *MALFORMED)


def test_a_name_that_comes_twice_is_refused(shop: RunningShop) -> None:
    with untouched(shop) as target:
        for operation, good in GOOD.items():
            if good.startswith('{"'):
                name = good[1 : good.index(":")]
                for again in (name, name.replace(name[1], f"\\u{ord(name[1]):04x}", 1)):
                    assert_refused(target.send(operation, f"{{{again}: 7, {good[1:]}"), *INVALID)
    two_lines = '{"lines": [{"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 1, "quantity": 9}]}'
    refused = shop.call("POST", "/orders", shop.customer, content=two_lines, headers=JSON)
    assert refused.json()["errors"] == [{"field": "quantity", "message": "is given more than once"}]


def test_the_same_name_in_two_objects_is_no_name_twice(shop: RunningShop) -> None:
    products = [shop.new_product(stock=5) for _ in range(3)]
    lines = [{"product_id": product, "quantity": 1} for product in products]
    assert shop.call("POST", "/orders", shop.customer, json={"lines": lines}).status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity", ""])
def test_a_body_that_is_encoded_is_refused(shop: RunningShop, encoding: str) -> None:
    with untouched(shop) as target:
        for operation, good in GOOD.items():
            assert_refused(target.send(operation, good, {**JSON, "content-encoding": encoding}), *WRONG_TYPE)


TEXTS: Final = [
    ("POST /orders/{order}/cancel", b'{"reason": TEXT}'),
    ("POST /products", b'{"name": TEXT, "price": 1200}'),
    ("POST /products", b'{"name": "Tea", "price": 1200, "detail": TEXT}'),
    ("PUT /products/{product}", b'{"name": TEXT}'),
    ("POST /categories", b'{"name": TEXT}'),
    ("PUT /categories/{category}", b'{"name": TEXT}'),
    ("POST /stock/{product}/adjustments", b'{"delta": 1, "reason": TEXT}'),
    ("POST /auth/signup", b'{"user_name": TEXT, "password": "correct horse battery"}'),
    ("POST /auth/signup", b'{"user_name": "aoi", "password": TEXT}'),
    ("POST /auth/login", b'{"username": TEXT, "password": "correct horse battery"}'),
]


@pytest.mark.parametrize("text", [b'"\\ud800"', b'"\\udfff"', b'"\\ud800x"', b'"\xff"', b'"\xed\xa0\x80"', b'"a\x00b"'])
def test_text_that_is_not_unicode_is_refused(shop: RunningShop, text: bytes) -> None:
    with untouched(shop) as target:
        for operation, content in TEXTS:
            assert_refused(target.send(operation, content.replace(b"TEXT", text)), *MALFORMED)


def test_a_nul_character_is_no_text(shop: RunningShop) -> None:
    with untouched(shop) as target:
        for operation, content in TEXTS:
            for text in (rb'"a\u0000b"', rb'"\u0000"', rb'"\\\u0000"'):
                assert_refused(target.send(operation, content.replace(b"TEXT", text)), *INVALID)


def test_text_that_tells_of_a_nul_character_is_text(shop: RunningShop) -> None:
    product = shop.new_product(name="\\u0000 and %00")
    assert shop.product(product)["name"] == "\\u0000 and %00"


@pytest.mark.parametrize("headers", [JSON, {}], ids=["with its type", "without its type"])
def test_a_request_without_its_body_is_refused(shop: RunningShop, headers: dict[str, str]) -> None:
    with untouched(shop) as target:
        for operation in GOOD:
            if "" not in TAKES_LESS.get(operation, ()):
                assert_refused(target.send(operation, b"", headers), *INVALID)


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "text/json",
        "json",
        "*/*",
        "",
        None,
    ],
)
def test_json_under_another_name_is_refused(shop: RunningShop, media_type: str | None) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    with untouched(shop) as target:
        for operation, good in GOOD.items():
            assert_refused(target.send(operation, good, headers), *WRONG_TYPE)


def test_a_form_is_read_by_the_login_alone(shop: RunningShop) -> None:
    with untouched(shop) as target:
        for operation, good in GOOD.items():
            if operation != "POST /auth/login":
                assert_refused(target.send(operation, good, FORM), *WRONG_TYPE)


def test_a_body_over_64_kib_is_refused(shop: RunningShop) -> None:
    with untouched(shop) as target:
        for operation, good in GOOD.items():
            assert_refused(target.send(operation, good + " " * 65_536), *TOO_LARGE)
            assert_refused(target.send(operation, "[" * 100_000), *TOO_LARGE)


def test_a_body_over_64_kib_that_does_not_say_its_length_is_refused(shop: RunningShop) -> None:
    with untouched(shop) as target:
        for operation in GOOD:
            pieces = (b" " * 1_000 for _ in range(100))
            assert_refused(target.send(operation, pieces), *TOO_LARGE)


def test_a_body_of_exactly_64_kib_is_read(shop: RunningShop) -> None:
    wanted = lines(line(str(shop.new_product(stock=5))))
    placed = shop.call("POST", "/orders", shop.customer, content=wanted.ljust(65_536).encode(), headers=JSON)
    assert placed.status_code == 201


def test_a_body_in_pieces_is_read(shop: RunningShop) -> None:
    wanted = lines(line(str(shop.new_product(stock=5)))).encode()
    pieces = (wanted[place : place + 3] for place in range(0, len(wanted), 3))
    assert shop.call("POST", "/orders", shop.customer, content=pieces, headers=JSON).status_code == 201

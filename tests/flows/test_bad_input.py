"""Requests that are wrong: each is told what is wrong with it, and changes nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from tests.shops import RunningShop

JSON: Final = {"content-type": "application/json"}
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}

INVALID: Final = (400, "request.invalid")
MALFORMED: Final = (400, "request.malformed")
TOO_LARGE: Final = (413, "request.too_large")
WRONG_TYPE: Final = (415, "request.unsupported_media_type")
NOWHERE: Final = (404, "http.not_found")

Refusal = tuple[int, str]


@pytest.fixture
def shop(together: RunningShop) -> RunningShop:
    """One shape is enough: what reads a request is the same code in both."""
    return together


NOT_WHOLE_NUMBERS: Final = ('"3"', "1.0", "1e0", "true", "null", "[]", "{}", '""')
NOT_INT64: Final = (str(2**63), str(-(2**63) - 1), str(10**30))
NOT_TEXT: Final = ("1", "true", "null", "[]", "{}")


@dataclass(frozen=True)
class Target:
    """What the bad requests of one test are aimed at."""

    shop: RunningShop
    product: int
    unstocked: int
    category: int
    name: str
    buyer: str

    def send(
        self, operation: str, content: str | bytes | Iterable[bytes], headers: Mapping[str, str] = JSON
    ) -> httpx.Response:
        method, path = operation.format_map(vars(self)).split(" ", 1)
        token = self.buyer if path.startswith("/order") else self.shop.staff
        if isinstance(content, str):
            content = content.replace("PRODUCT", str(self.product)).replace("UNSTOCKED", str(self.unstocked))
            content = content.replace("USER", self.name).encode()
        return self.shop.call(method, path, token, content=content, headers=dict(headers))


@contextmanager
def untouched(shop: RunningShop) -> Iterator[Target]:
    """Fails when anything is different afterwards."""
    name = f"user-{uuid4()}"
    category = shop.call("POST", "/categories", shop.staff, json={"name": f"Category {uuid4()}"}).json()["id"]
    target = Target(shop, shop.new_product(stock=5), shop.new_product(), category, name, shop.new_customer())
    before = _all_that_could_change(target)
    yield target
    assert _all_that_could_change(target) == before


def _all_that_could_change(target: Target) -> dict[str, Any]:
    shop = target.shop
    return {
        "orders": shop.call("GET", "/orders", target.buyer).json(),
        "stock": shop.stock(target.product),
        "unstocked": shop.call("GET", f"/stock/{target.unstocked}").status_code,
        "product": shop.product(target.product),
        "newest": shop.call("GET", "/products", params={"sort": "-id", "limit": 1}).json()["items"],
        "category": shop.call("GET", f"/categories/{target.category}").json(),
        "next category": shop.call("GET", f"/categories/{target.category + 1}").status_code,
    }


def assert_refused(answer: httpx.Response, refusal: Refusal) -> None:
    status, code = refusal
    told = f"{answer.request.method} {answer.request.url.path} -> {answer.text}"
    assert answer.status_code == status, told
    assert answer.headers["content-type"] == "application/problem+json", told
    problem = answer.json()
    assert problem.keys() >= {"type", "title", "status", "detail", "code", "request_id"}
    assert (problem["status"], problem["code"]) == (status, code), told
    assert problem["type"] == f"urn:ecshop:problem:{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]


def body(good: Mapping[str, Any], **changes: str | None) -> str:
    """The good body as JSON, with some of its values replaced by JSON texts, or left out by None."""
    texts = {name: json.dumps(value) for name, value in good.items()} | changes
    return "{" + ", ".join(f'"{name}": {text}' for name, text in texts.items() if text is not None) + "}"


def cases(good: Mapping[str, Any], **bad: tuple[str | None, ...]) -> list[str]:
    return [body(good, **{name: text}) for name, texts in bad.items() for text in texts]


def line(product: str = "PRODUCT", quantity: str = "1", rest: str = "") -> str:
    return f'{{"product_id": {product}, "quantity": {quantity}{rest}}}'


def lines(*written: str) -> str:
    return f'{{"lines": [{", ".join(written)}]}}'


GOOD_ORDER: Final = lines(line())
GOOD: Final = {
    "POST /orders": GOOD_ORDER,
    "POST /products": '{"name": "Tea", "price": 1200}',
    "PUT /products/{product}": '{"price": 1}',
    "POST /categories": '{"name": "Tea"}',
    "PUT /categories/{category}": '{"name": "Tea"}',
    "POST /stock": '{"product_id": UNSTOCKED, "stock": 5}',
    "PUT /stock/{product}": '{"stock": 9}',
    "POST /stock/{product}/adjustments": '{"delta": 1, "reason": "delivery"}',
    "POST /auth/signup": '{"user_name": "USER", "password": "correct horse battery"}',
    "POST /auth/login": '{"username": "USER", "password": "correct horse battery"}',
}
"""For every operation that reads a body, one that it would take."""


def ids(value: object) -> str:
    """A case's name in the test report: short, and with nothing in it that a terminal cannot show."""
    text = value.decode("latin1") if isinstance(value, bytes) else str(value)
    return ascii(text if len(text) <= 70 else f"{text[:60]}... {len(text)}")[1:-1]


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
        assert_refused(target.send("POST /orders", content), INVALID)


PRODUCT: Final = {"name": "Tea", "price": 1200}
PRODUCT_FIELDS: Final[dict[str, tuple[str | None, ...]]] = {
    "name": (*NOT_TEXT, '""', '"  "', '"\\t\\n"', '"\\u00a0\\u3000"', json.dumps("x" * 201)),
    "price": (*NOT_WHOLE_NUMBERS, *NOT_INT64, "-1", str(10**12 + 1)),
    "detail": (*NOT_TEXT, json.dumps("x" * 4001)),
    "currency": (*NOT_TEXT, '""', '"jpy"', '"YEN!"', '"JPY\\n"', '"JPYE"', '"\\u00c9UR"'),
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
        assert_refused(target.send("POST /products", content), INVALID)


@pytest.mark.parametrize("content", ["{}", *cases(PRODUCT, name=(None,), price=(None,))], ids=ids)
def test_a_product_without_name_or_price_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /products", content), INVALID)


@pytest.mark.parametrize("content", cases({"detail": "changed"}, **PRODUCT_FIELDS), ids=ids)
def test_a_change_of_a_product_with_one_bad_field_changes_no_field(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("PUT /products/{product}", content), INVALID)


CATEGORIES: Final = [
    *cases({}, name=(*NOT_TEXT, '""', '" "', '"\\u3000"', json.dumps("x" * 101))),
    *cases({"name": "Tea"}, id=("1",)),
    "{}",
]


@pytest.mark.parametrize("operation", ["POST /categories", "PUT /categories/{category}"])
@pytest.mark.parametrize("content", CATEGORIES, ids=ids)
def test_a_category_that_is_not_one_is_refused(shop: RunningShop, operation: str, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send(operation, content), INVALID)


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
        assert_refused(target.send("POST /stock", content), INVALID)


LEVELS: Final = [*cases({}, stock=BAD_UNITS), *cases({"stock": 9}, version=("1",), product_id=("1",)), "{}"]


@pytest.mark.parametrize("content", LEVELS, ids=ids)
def test_stock_is_not_set_to_what_is_not_a_number_of_units(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("PUT /stock/{product}", content), INVALID)


ADJUSTMENTS: Final = cases(
    {"delta": 1, "reason": "delivery"},
    delta=(*NOT_WHOLE_NUMBERS, *NOT_INT64, "0", "-0", str(10**12 + 1), str(-(10**12) - 1), None),
    reason=(*NOT_TEXT, '""', '" "', json.dumps("x" * 201), None),
    reference=('"01a208cf-ca8f-7408-a679-bf3a1688dcc1"',),
)


@pytest.mark.parametrize("content", ADJUSTMENTS, ids=ids)
def test_an_adjustment_that_is_not_one_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /stock/{product}/adjustments", content), INVALID)


SIGN_UPS: Final = cases(
    {"user_name": "USER", "password": "correct horse battery"},
    user_name=(
        *NOT_TEXT,
        '""',
        '" "',
        '"USER x"',
        '"USER\\u3000x"',
        '"USER\\n"',
        '"USER\\u0000"',
        '" USER"',
        json.dumps("x" * 65),
        None,
    ),
    password=(*NOT_TEXT, '""', '"1234567"', json.dumps("x" * 129), None),
    role=('"admin"',),
    username=('"USER"',),
)


@pytest.mark.parametrize("content", SIGN_UPS, ids=ids)
def test_a_sign_up_that_is_not_one_makes_no_user(shop: RunningShop, content: str) -> None:
    name = f"user-{uuid4()}"
    answer = shop.call("POST", "/auth/signup", content=content.replace("USER", name).encode(), headers=JSON)
    assert_refused(answer, INVALID)
    login = shop.call("POST", "/auth/login", json={"username": name, "password": "correct horse battery"})
    assert_refused(login, (401, "auth.invalid_credentials"))


LOGINS: Final = cases(
    {"username": "USER", "password": "correct horse battery"},
    username=(*NOT_TEXT, json.dumps("x" * 65), None),
    password=(*NOT_TEXT, json.dumps("x" * 129), None),
    grant_type=('"client_credentials"', "1"),
    role=('"admin"',),
)


@pytest.mark.parametrize("content", LOGINS, ids=ids)
def test_a_login_that_is_not_one_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /auth/login", content), INVALID)


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", INVALID),
        (b"username=aoi", INVALID),
        (b"password=correct+horse+battery", INVALID),
        (b"username=aoi;password=x", INVALID),
        (b"username=aoi&password=x&role=admin", INVALID),
        (b"username=aoi&password=x&grant_type=client_credentials", INVALID),
        (b"username=" + b"x" * 65 + b"&password=x", INVALID),
        (b"username=aoi&password=" + b"x" * 129, INVALID),
        (b'{"username": "aoi", "password": "x"}', INVALID),
        (b"a=1&" * 10_000, INVALID),
        (b"username=a%00b&password=x", INVALID),
        (b"username=aoi&password=%00", INVALID),
        (b"username=\xff&password=x", MALFORMED),
        (b"username=aoi&password=" + b"x" * 70_000, TOO_LARGE),
    ],
    ids=ids,
)
def test_a_login_form_that_is_not_one_is_refused(shop: RunningShop, content: bytes, refusal: Refusal) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /auth/login", content, FORM), refusal)


@pytest.mark.parametrize("content", ["null", "[]", '""', "1", "true", '"x"', "[" * 30_000, "{}"], ids=ids)
def test_a_body_of_another_shape_is_refused(shop: RunningShop, content: str) -> None:
    with untouched(shop) as target:
        for operation in GOOD:
            if (operation, content) != ("PUT /products/{product}", "{}"):
                assert_refused(target.send(operation, content), INVALID)


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
            assert_refused(target.send(operation, spoil(good)), MALFORMED)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "1_0", "1e"])
def test_a_quantity_that_is_not_json_is_refused(shop: RunningShop, number: str) -> None:
    with untouched(shop) as target:
        assert_refused(target.send("POST /orders", lines(line(quantity=number))), MALFORMED)


TEXTS: Final = [
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
            assert_refused(target.send(operation, content.replace(b"TEXT", text)), MALFORMED)


def test_a_nul_character_is_no_text(shop: RunningShop) -> None:
    with untouched(shop) as target:
        for operation, content in TEXTS:
            for text in (rb'"a\u0000b"', rb'"\u0000"', rb'"\\\u0000"'):
                assert_refused(target.send(operation, content.replace(b"TEXT", text)), INVALID)


def test_text_that_tells_of_a_nul_character_is_text(shop: RunningShop) -> None:
    product = shop.new_product(name="\\u0000 and %00")
    assert shop.product(product)["name"] == "\\u0000 and %00"


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
        assert_refused(answer, (400, "request.invalid_cursor"))


@pytest.mark.parametrize("headers", [JSON, {}], ids=["with its type", "without its type"])
def test_a_request_without_its_body_is_refused(shop: RunningShop, headers: dict[str, str]) -> None:
    with untouched(shop) as target:
        for operation in GOOD:
            assert_refused(target.send(operation, b"", headers), INVALID)


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/xml", "multipart/form-data; boundary=x", "text/json", "json", "*/*", "", None],
)
def test_json_under_another_name_is_refused(shop: RunningShop, media_type: str | None) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    with untouched(shop) as target:
        for operation, good in GOOD.items():
            assert_refused(target.send(operation, good, headers), WRONG_TYPE)


def test_a_form_is_read_by_the_login_alone(shop: RunningShop) -> None:
    with untouched(shop) as target:
        for operation, good in GOOD.items():
            if operation != "POST /auth/login":
                assert_refused(target.send(operation, good, FORM), WRONG_TYPE)


def test_a_body_over_64_kib_is_refused(shop: RunningShop) -> None:
    with untouched(shop) as target:
        for operation, good in GOOD.items():
            assert_refused(target.send(operation, good + " " * 65_536), TOO_LARGE)
            assert_refused(target.send(operation, "[" * 100_000), TOO_LARGE)


def test_a_body_over_64_kib_that_does_not_say_its_length_is_refused(shop: RunningShop) -> None:
    with untouched(shop) as target:
        for operation in GOOD:
            pieces = (b" " * 1_000 for _ in range(100))
            assert_refused(target.send(operation, pieces), TOO_LARGE)


def test_a_body_of_exactly_64_kib_is_read(shop: RunningShop) -> None:
    wanted = lines(line(str(shop.new_product(stock=5))))
    placed = shop.call("POST", "/orders", shop.customer, content=wanted.ljust(65_536).encode(), headers=JSON)
    assert placed.status_code == 201


def test_a_body_in_pieces_is_read(shop: RunningShop) -> None:
    wanted = lines(line(str(shop.new_product(stock=5)))).encode()
    pieces = (wanted[place : place + 3] for place in range(0, len(wanted), 3))
    assert shop.call("POST", "/orders", shop.customer, content=pieces, headers=JSON).status_code == 201


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
        assert_refused(shop.call("POST", path, target.buyer), INVALID)


@pytest.mark.parametrize("path", ["/orders", "/order?product_id=PRODUCT&quantity=1"])
@pytest.mark.parametrize("key", ["", "x" * 256, "x" * 10_000], ids=ids)
def test_an_idempotency_key_that_is_not_one_is_refused(shop: RunningShop, path: str, key: str) -> None:
    with untouched(shop) as target:
        headers = {**JSON, "idempotency-key": key}
        content = GOOD_ORDER if path == "/orders" else b""
        operation = f"POST {path.replace('PRODUCT', str(target.product))}"
        assert_refused(target.send(operation, content, headers), INVALID)


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
    assert_refused(shop.call("GET", path, shop.staff), refusal)


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999"])
def test_a_number_that_no_row_can_have_is_refused(shop: RunningShop, number: str) -> None:
    with untouched(shop) as target:
        for path in ("/products", "/categories", "/stock"):
            assert_refused(shop.call("DELETE", f"{path}/{number}", shop.staff), INVALID)
        for operation in ("PUT /products/N", "PUT /categories/N", "PUT /stock/N", "POST /stock/N/adjustments"):
            good = next(body for one, body in GOOD.items() if one.split("{")[0] == operation.split("N")[0])
            assert_refused(target.send(operation.replace("N", number), good), INVALID)


LISTS: Final = ("/products", "/categories", "/stock", "/orders", "/stock/{}/movements")


@pytest.mark.parametrize(
    "query",
    [
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
        assert_refused(shop.call("GET", f"{path.format(product)}?{query}", shop.staff), INVALID)


@pytest.mark.parametrize(
    "cursor",
    ["", "garbage", "%C3%A4", "%FF", "null", "e30", "NQ", "W10", "WyJpZCJd", "WyJldmlsIiwxXQ", "W1tbW1tbW1tb"],
)
def test_a_cursor_that_the_list_did_not_make_is_refused(shop: RunningShop, cursor: str) -> None:
    product = shop.new_product(stock=5)
    for path in LISTS:
        answer = shop.call("GET", f"{path.format(product)}?cursor={cursor}", shop.staff)
        assert_refused(answer, (400, "request.invalid_cursor"))


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
    assert_refused(shop.call("GET", path, shop.staff), INVALID)


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
    assert_refused(answer, (405, "http.method_not_allowed"))
    assert allowed <= set(answer.headers["allow"].replace(" ", "").split(","))


def test_what_is_wrong_is_told_with_its_place(shop: RunningShop) -> None:
    wanted = {"lines": [{"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 0}]}
    refused = shop.call("POST", "/orders", shop.customer, json=wanted)
    assert refused.json()["errors"] == [
        {"field": "lines[1].quantity", "message": "must be a whole number from 1 to 10000"}
    ]

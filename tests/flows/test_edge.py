"""The HTTP edge: methods, parameters and answers that any client may rely on, whatever the operation."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from bench.patient import PATIENCE
from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role
from tests.shops import RunningShop
from tests.waiting import eventually

pytestmark = pytest.mark.sqlite_only

PROBLEM = "application/problem+json"
NAME = "must be text of 1 to 200 characters, not only spaces"


@pytest.fixture
def http(together: RunningShop) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=together.url("/products").removesuffix("/products"), timeout=PATIENCE) as client:
        yield client


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, answer.json()["code"]


def errors_of(answer: httpx.Response) -> dict[str, str]:
    assert code_of(answer) == (400, "request.invalid")
    return {error["field"]: error["message"] for error in answer.json()["errors"]}


def documented(http: httpx.Client) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = http.get("/docs/openapi.json").json()["paths"]
    return paths


def filled(path: str) -> str:
    return re.sub("{(product|category)_id}", "1", re.sub("{(order|user|session|key|event)_id}", str(uuid4()), path))


def test_head_answers_as_get_does_without_a_body(http: httpx.Client) -> None:
    for path in ("/products", "/products/999999", "/health", "/docs", "/docs/openapi.json", "/orders", "/nothing"):
        head, get = http.head(path), http.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.headers["content-length"] == get.headers["content-length"]


def test_options_and_allow_name_every_method_of_a_path(http: httpx.Client) -> None:
    for path, operations in documented(http).items():
        methods = {method.upper() for method in operations} | {"OPTIONS"}
        expected = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
        asked = http.options(filled(path))
        assert (asked.status_code, asked.headers["allow"]) == (204, expected), path
        for other in ("PATCH", "TRACE"):
            refused = http.request(other, filled(path))
            assert code_of(refused) == (405, "http.method_not_allowed")
            assert refused.headers["allow"] == expected, path


def test_what_was_made_is_found_at_its_location(together: RunningShop) -> None:
    category = together.call("POST", "/categories", together.staff, json={"name": f"Tea {id(http)}"})
    product = together.call("POST", "/products", together.staff, json={"name": "Tea", "price": 1})
    stock = together.call("POST", "/stock", together.staff, json={"product_id": product.json()["id"], "stock": 5})
    order = together.order(product.json()["id"], 1)
    lines = {"lines": [{"product_id": product.json()["id"], "quantity": 1}]}
    orders = together.call("POST", "/orders", together.customer, json=lines)
    for made in (category, product, stock, order, orders):
        assert made.status_code == 201
        found = together.call("GET", made.headers["location"], together.customer)
        assert found.status_code == 200, made.headers["location"]
        moved_on = {name for name, value in found.json().items() if made.json()[name] != value}
        follows_events = {
            product: {"in_stock", "updated_at"},
            stock: {"available", "reserved", "stock", "updated_at", "version"},
        }
        assert moved_on <= follows_events.get(made, set())
    moved = together.call(
        "POST", f"/stock/{product.json()['id']}/adjustments", together.staff, json={"delta": 1, "reason": "delivery"}
    )
    assert together.call("GET", moved.headers["location"], together.staff).json()["items"][0]["reason"] == "delivery"


def test_the_front_door_is_the_shop_and_there_is_an_icon(http: httpx.Client) -> None:
    front = http.get("/")
    assert (front.status_code, front.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'href="/docs"' in front.text
    icon = http.get("/favicon.ico")
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")


def test_health_answers_by_its_short_name_too(http: httpx.Client) -> None:
    assert http.get("/health").json() == http.get("/health/live").json() == {"status": "alive"}


def test_an_unknown_parameter_is_refused_by_every_operation(together: RunningShop, http: httpx.Client) -> None:
    for path, operations in documented(http).items():
        for method in operations:
            token = signing_key_in(together.folder).token_for_user(uuid4(), Role.ADMIN, 900)
            body: dict[str, Any] = {"json": {}} if method in ("post", "put") else {}
            answer = http.request(
                method, f"{filled(path)}?surprise=1", headers={"authorization": f"Bearer {token}"}, **body
            )
            message = errors_of(answer)["surprise"]
            assert message.startswith("is not known here; "), f"{method} {path}"


def test_a_refused_parameter_is_told_with_those_that_are_known(http: httpx.Client) -> None:
    message = errors_of(http.get("/products?colour=green"))["colour"]
    known = "name, q, category_id, price_from, price_to, in_stock, on_sale, status, updated_after, sort, cursor, limit"
    assert message == f"is not known here; known are: {known}"
    assert errors_of(http.get("/health?deep=1")) == {"deep": "is not known here; this operation takes none"}


def test_every_wrong_parameter_is_told_at_once_with_what_is_allowed(together: RunningShop, http: httpx.Client) -> None:
    query = "limit=0&sort=colour&category_id=tea&in_stock=maybe&name=a&name=b&q=" + "x" * 201
    assert errors_of(http.get(f"/products?{query}")) == {
        "limit": "must be a whole number from 1 to 100",
        "sort": "must be one of -id, -name, -price, id, name, price, relevance",
        "category_id": "must be a whole number from 1 to 9223372036854775807",
        "in_stock": "must be true or false",
        "name": "is given more than once",
        "q": "must be text of at most 200 characters",
    }
    bare = together.call("POST", "/order", together.customer)
    assert errors_of(bare) == {"product_id": "is required", "quantity": "is required"}
    status = together.call("GET", "/orders?status=lost", together.customer)
    assert errors_of(status) == {"status": "must be one of cancelled, confirmed, fulfilled"}
    key = together.order(1, 1, **{"Idempotency-Key": "k" * 256})
    assert errors_of(key) == {"Idempotency-Key": "must be text of 1 to 255 characters, of visible ASCII"}
    assert errors_of(http.get("/products/0")) == {"product_id": "must be a whole number from 1 to 9223372036854775807"}


def test_a_body_where_none_is_taken_is_refused(together: RunningShop) -> None:
    product = together.new_product(stock=5)
    path = f"/order?product_id={product}&quantity=1"
    answer = together.call("POST", path, together.customer, json={"quantity": 3})
    assert errors_of(answer) == {"body": "is not taken by this operation; send none"}
    assert together.units(product) == (5, 0)
    assert errors_of(together.call("GET", "/products", json={})) == {
        "body": "is not taken by this operation; send none"
    }


BODIES: dict[str, tuple[str, object, dict[str, str]]] = {
    "a missing field": ("/products", {"price": 1}, {"name": "is required"}),
    "an unknown field": (
        "/categories",
        {"name": "Tea", "colour": 1},
        {"colour": "is not known here; known are: name"},
    ),
    "a blank name": (
        "/products",
        {"name": " ", "price": 1},
        {"name": NAME},
    ),
    "a code that is none": (
        "/products",
        {"name": "Tea", "price": 1, "currency": "yen"},
        {"currency": "must be text of at most 3 characters, the ISO 4217 code of a currency in use, like JPY"},
    ),
    "a number as text": (
        "/products",
        {"name": "Tea", "price": "1"},
        {"price": "must be a whole number from 0 to 1000000000000"},
    ),
    "text as a switch": (
        "/products",
        {"name": "Tea", "price": 1, "on_sale": "yes"},
        {"on_sale": "must be true or false"},
    ),
    "null where none is": (
        "/products",
        {"name": None, "price": 1},
        {"name": NAME},
    ),
    "a list": ("/categories", [], {"body": "must be an object with name"}),
    "NUL in a text": ("/categories", {"name": "T\0a"}, {"name": "must not hold a NUL character"}),
    "nothing at all": ("/categories", None, {"body": "is required"}),
    "an adjustment by nothing": ("/stock/1/adjustments", {"delta": 0, "reason": "x"}, {"delta": "must not be 0"}),
}


@pytest.mark.parametrize("case", BODIES)
def test_what_is_wrong_in_a_body_is_told_by_its_field_and_what_is_allowed(together: RunningShop, case: str) -> None:
    path, body, expected = BODIES[case]
    options: dict[str, Any] = {"headers": {"content-type": "application/json"}} if body is None else {"json": body}
    assert errors_of(together.call("POST", path, together.staff, **options)) == expected


def test_the_lines_of_an_order_are_told_by_their_place(together: RunningShop) -> None:
    def order(*lines: object) -> dict[str, str]:
        return errors_of(together.call("POST", "/orders", together.customer, json={"lines": lines}))

    assert order() == {"lines": "must be a list of 1 to 100 items"}
    assert order({"product_id": 1}) == {"lines[0].quantity": "is required"}
    assert order({"product_id": 1, "quantity": 0}) == {"lines[0].quantity": "must be a whole number from 1 to 10000"}
    assert order(*[{"product_id": 1, "quantity": 1}] * 2) == {
        "lines": "must name at least one product, and each product once"
    }


@pytest.mark.parametrize("number", ["+1", "01", "1_0", "%D9%A3", "0x1"])
def test_a_number_in_a_path_is_written_in_one_way(http: httpx.Client, number: str) -> None:
    for path in (f"/products/{number}", f"/stock/{number}", f"/categories/{number}"):
        status, code = code_of(http.get(path))
        assert (status, code) in {(400, "request.invalid"), (404, "http.not_found")}, path


def test_what_is_given_twice_or_is_no_text_is_refused_wherever_it_is(together: RunningShop, http: httpx.Client) -> None:
    path = f"/order?product_id={together.new_product(stock=5)}&quantity=1"
    twice = [("authorization", f"Bearer {together.customer}"), ("idempotency-key", "a"), ("idempotency-key", "b")]
    assert errors_of(http.post(path, headers=twice)) == {"Idempotency-Key": "is given more than once"}
    form = {"content-type": "application/x-www-form-urlencoded"}
    login = http.post("/auth/login", content="username=a&username=b&password=c", headers=form)
    assert errors_of(login) == {"username": "is given more than once"}
    assert errors_of(http.get("/products?name=%ff")) == {"query": "must be UTF-8"}
    assert code_of(http.get("/products", headers={"host": "a b/?#@:x"})) == (400, "http.malformed")


def test_a_long_path_is_not_said_back_in_whole(http: httpx.Client) -> None:
    assert len(http.get("/" + "x" * 20_000).content) < 1000


def test_what_cannot_be_taken_off_the_stock_is_told_with_what_is_there(together: RunningShop) -> None:
    path = f"/stock/{together.new_product(stock=0)}/adjustments"
    refused = together.call("POST", path, together.staff, json={"delta": -100, "reason": "breakage"})
    assert code_of(refused) == (409, "stock.reserved")
    assert refused.json()["detail"] == "0 units are on hand"
    assert (refused.json()["on_hand"], refused.json()["reserved"]) == (0, 0)


HOSTILE = {
    "a cursor of brackets": ("GET", "/products?cursor=" + quote("W1tb" * 350), {}),
    "a NUL for an asset": ("GET", "/docs/assets/%00", {}),
    "an asset with a long name": ("GET", "/docs/assets/" + "x" * 300, {}),
    "a host that is none, nowhere": ("GET", "/nothing", {"host": "x:abc"}),
    "a host that is none, by another method": ("PATCH", "/products", {"host": "x:abc"}),
    "a host that is none": ("GET", "/products/999999", {"host": "x:abc"}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_nothing_that_anybody_can_send_is_a_failure_of_the_shop(http: httpx.Client, case: str) -> None:
    method, path, headers = HOSTILE[case]
    status, code = code_of(http.request(method, path, headers=headers))
    assert 400 <= status < 500
    assert code != "internal"


def test_a_client_that_goes_away_in_mid_request_is_one_line_in_the_log(together: RunningShop) -> None:
    log = together.folder / "output.log"
    before = len(log.read_text().splitlines())
    with socket.create_connection(("127.0.0.1", together.server.ports["product"])) as connection:
        head = f"POST /products HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {together.staff}\r\n"
        connection.sendall(f"{head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{".encode())
    eventually(lambda: [line for line in log.read_text().splitlines()[before:] if "client.gone" in line] != [], True)
    lines = [line for line in log.read_text().splitlines()[before:] if "/products" in line]
    [gone] = [line for line in lines if "client.gone" in line]
    assert '"level":"info"' in gone
    assert not any("the shop failed" in line or "Traceback" in line for line in lines)

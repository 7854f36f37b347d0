"""The API's documentation: whole, true, and served by the shop itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import jsonschema
import pytest
from openapi_spec_validator import validate

import ecshop.kernel.http
from ecshop import __version__
from ecshop.kernel.errors import EcshopError, Unauthenticated
from ecshop.kernel.http.problems import MEDIA_TYPE
from tests.shops import CONTEXTS, RunningShop

METHODS: Final = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
FIRST_FAILURE: Final = 400
ASSETS: Final = Path(ecshop.kernel.http.__file__).parent / "vendor" / "swagger-ui"
for module in ("kernel.http.app", *(f"{context}.contract" for context in CONTEXTS)):
    import_module(f"ecshop.{module}")  # registers its errors
CONTRACTS: Final = {import_module(f"ecshop.{context}.contract").__name__ for context in CONTEXTS}
BETWEEN_SERVICES: Final = {
    "auth.invalid_client",
    "auth.grant_refused",
    "stock.reservation_released",
    "stock.reservation_conflict",
}
"""Codes that only services hear, of operations that one process does not serve."""


class Operation(NamedTuple):
    name: str
    told: Mapping[str, Any]
    document: Mapping[str, Any]

    def failures(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for status, response in self.told["responses"].items():
            if int(status) >= FIRST_FAILURE:
                yield int(status), response

    def codes(self) -> set[str]:
        """The error codes of its examples."""
        return {example["code"] for _, response in self.failures() for example in examples(response)}


def examples(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    told = response["content"].get(MEDIA_TYPE, {}).get("examples", {})
    return [example["value"] for example in told.values()]


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30) as client:
        yield client


@pytest.fixture
def addresses(shop: RunningShop) -> list[str]:
    """Of each process of the shop."""
    return [f"http://127.0.0.1:{port}" for port in sorted(set(shop.server.ports.values()))]


@pytest.fixture
def documents(addresses: list[str], http: httpx.Client) -> list[dict[str, Any]]:
    return [http.get(f"{address}/docs/openapi.json").raise_for_status().json() for address in addresses]


@pytest.fixture
def operations(documents: list[dict[str, Any]]) -> list[Operation]:
    return [
        Operation(f"{method.upper()} {path}", told, document)
        for document in documents
        for path, methods in document["paths"].items()
        for method, told in methods.items()
        if method in METHODS
    ]


def test_each_process_has_a_document_of_its_own(documents: list[dict[str, Any]]) -> None:
    titles = sorted(document["info"]["title"] for document in documents)
    assert titles in (["ecshop"], sorted(f"ecshop: {name}" for name in CONTEXTS))
    for document in documents:
        assert document["openapi"].startswith("3.1")
        assert document["info"]["version"] == __version__
        assert document["info"]["description"]


def test_the_document_is_valid(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        validate(document)


def test_the_document_admits_an_order_that_the_shop_takes(documents: list[dict[str, Any]]) -> None:
    [document] = [one for one in documents if "/orders" in one["paths"]]
    schemas = {"components": document["components"], "$ref": "#/components/schemas/NewOrder"}
    order = {"lines": [{"product_id": 1, "quantity": 5}]}
    jsonschema.Draft202012Validator(schemas).validate(order)
    for wrong in ({"lines": []}, {"lines": order["lines"] * 101}, {"lines": [1]}, {}):
        assert not jsonschema.Draft202012Validator(schemas).is_valid(wrong)


def test_every_operation_has_a_summary_a_tag_and_a_name_of_its_own(operations: list[Operation]) -> None:
    for operation in operations:
        assert operation.told["summary"], operation.name
        [tag] = operation.told["tags"]
        assert tag in {known["name"] for known in operation.document["tags"]}, operation.name
    health = {"health", "live", "ready"}  # of every process
    names = [operation.told["operationId"] for operation in operations]
    public = [name for name in names if name not in health]
    assert len(public) == len(set(public))
    assert health < set(names)


def test_every_tag_is_explained(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        assert all(tag["description"] for tag in document["tags"])


def test_every_failure_is_a_problem_with_an_example_that_the_shop_could_answer(operations: list[Operation]) -> None:
    for operation in operations:
        for status, response in operation.failures():
            told = f"{operation.name}: {status}"
            assert list(response["content"]) == [MEDIA_TYPE], told
            assert response["content"][MEDIA_TYPE]["schema"] == {"$ref": "#/components/schemas/Problem"}, told
            assert examples(response), told
            for example in examples(response):
                known = EcshopError.known[example["code"]]
                assert example["status"] == status == known.status, told
                assert example["type"] == f"urn:ecshop:problem:{known.code}", told
                assert example["title"] == known.title(), told
                assert example["detail"], told
                assert example.keys() >= {"request_id", *known.example}, told
                assert f"`{known.code}`" in response["description"], told


def test_who_asks_for_a_token_says_so_and_who_does_not_does_not(operations: list[Operation]) -> None:
    for operation in operations:
        asks = Unauthenticated.code in operation.codes()
        assert asks == bool(operation.told.get("security")), operation.name


def test_every_security_mark_is_of_a_known_scheme(operations: list[Operation]) -> None:
    for operation in operations:
        schemes = operation.document["components"]["securitySchemes"]
        for mark in operation.told.get("security", []):
            for name in mark:
                assert (schemes[name]["type"], schemes[name]["scheme"]) == ("http", "bearer"), operation.name


def test_every_error_of_the_contracts_is_documented(operations: list[Operation], addresses: list[str]) -> None:
    raised = {code for code, error in EcshopError.known.items() if error.__module__ in CONTRACTS}
    documented = {code for operation in operations for code in operation.codes()}
    assert raised - documented == (BETWEEN_SERVICES if len(addresses) == 1 else set())


def test_who_reads_a_body_tells_what_can_be_wrong_with_it(operations: list[Operation]) -> None:
    wrong = {"request.malformed", "request.invalid", "request.too_large", "request.unsupported_media_type"}
    for operation in operations:
        assert ("requestBody" in operation.told) == (wrong <= operation.codes()), operation.name


def properties(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All properties of a schema and of the schemas in it."""
    if name := schema.get("$ref"):
        schema = document["components"]["schemas"][name.rpartition("/")[2]]
    for below in schema.get("properties", {}).values():
        yield below
        yield from properties(below, document)
    if "items" in schema:
        yield from properties(schema["items"], document)
    for below in schema.get("oneOf", []):
        yield from properties(below, document)


def test_every_body_has_a_schema_with_examples_in_it(operations: list[Operation]) -> None:
    for operation in operations:
        for content in operation.told.get("requestBody", {"content": {}})["content"].values():
            told = list(properties(content["schema"], operation.document))
            assert told, operation.name
            assert any("examples" in one for one in told), operation.name


def test_every_success_has_a_schema_unless_it_says_nothing(operations: list[Operation]) -> None:
    for operation in operations:
        [(status, response)] = [one for one in operation.told["responses"].items() if int(one[0]) < FIRST_FAILURE]
        assert ("content" in response) == (status != "204"), operation.name
        for content in response.get("content", {}).values():
            assert content["schema"], operation.name


class _Loads(HTMLParser):
    """What a page loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in {"src", "href"} and value]


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_page_loads_nothing_from_another_host(addresses: list[str], http: httpx.Client, path: str) -> None:
    for address in addresses:
        page = http.get(f"{address}{path}")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert re.findall(r"(?:https?:)?//[\w.]+", page.text) == []
        loaded = [*_Loads(page.text).found, *re.findall(r'url: "([^"]+)"', page.text)]
        assert sorted(loaded) == [
            "/docs/assets/swagger-ui-bundle.js",
            "/docs/assets/swagger-ui.css",
            "/docs/openapi.json",
            "/favicon.ico",
        ]
        for path_of_one in loaded:
            assert http.get(f"{address}{path_of_one}").status_code == 200


def test_the_styles_load_nothing_from_another_host(addresses: list[str], http: httpx.Client) -> None:
    styles = http.get(f"{addresses[0]}/docs/assets/swagger-ui.css").text
    assert {found.partition(":")[0].strip("'\"") for found in re.findall(r"url\(([^)]*)\)", styles)} <= {"data"}
    assert "@import" not in styles


def test_the_assets_are_the_vendored_files(addresses: list[str], http: httpx.Client) -> None:
    types = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
    for address in addresses:
        for name, media_type in types.items():
            served = http.get(f"{address}/docs/assets/{name}")
            vendored = (ASSETS / name).read_bytes()
            assert hashlib.sha256(served.content).hexdigest() == hashlib.sha256(vendored).hexdigest()
            assert served.headers["content-type"].partition(";")[0] == media_type


@pytest.mark.parametrize("path", ["..%2fdocs.py", "%2e%2e/docs.py", "..%2f..%2f..%2ferrors.py", "%2fetc%2fpasswd"])
def test_nothing_but_the_assets_is_served_beside_them(addresses: list[str], http: httpx.Client, path: str) -> None:
    for address in addresses:
        assert http.get(f"{address}/docs/assets/{path}").status_code == 404


@pytest.mark.parametrize("path", ["/doc", "/docs/nothing", "/docs/assets/nothing.js", "/openapi.json", "/internal"])
def test_a_path_to_nothing_answers_with_a_problem(addresses: list[str], http: httpx.Client, path: str) -> None:
    for address in addresses:
        answer = http.get(f"{address}{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)
        assert answer.json()["code"] == "http.not_found"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/docs/openapi.json", "/nothing"])
@pytest.mark.parametrize("sent", ["1", "abc-DEF_0.9", "x" * 64, "01a208cf-ca8f-7408-a679-bf3a1688dcc1"])
def test_a_sane_request_id_is_taken_over(addresses: list[str], http: httpx.Client, path: str, sent: str) -> None:
    for address in addresses:
        assert http.get(f"{address}{path}", headers={"x-request-id": sent}).headers.get_list("x-request-id") == [sent]


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a\tb", 'a"b', "a,b", "{}", "<b>", "\u00e9", "a/b", "%0A"])
def test_a_request_id_that_is_not_sane_is_replaced(addresses: list[str], http: httpx.Client, sent: str) -> None:
    for address in addresses:
        ids = [
            http.get(f"{address}/nothing", headers=[(b"x-request-id", sent.encode())]).headers.get_list("x-request-id")
            for _ in range(2)
        ]
        assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one) for [one] in ids)
        assert ids[0] != ids[1]


def test_requests_without_an_id_get_one_each(addresses: list[str], http: httpx.Client) -> None:
    ids = [http.get(f"{address}/health/live").headers["x-request-id"] for address in addresses * 10]
    assert len(set(ids)) == len(ids)

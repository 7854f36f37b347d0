"""The API's documents: whole, valid, and true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final, cast

import jsonschema
import pytest
from openapi_spec_validator import validate

from ecshop import __version__
from ecshop.kernel.errors import EcshopError, Unauthenticated
from ecshop.kernel.http.problems import MEDIA_TYPE
from entrypoints.contexts import NAMES
from tests.flows.operations import FIRST_FAILURE, Operation, examples

pytestmark = pytest.mark.sqlite_only

for module in ("kernel.http.app", "oversight.contract", *(f"{context}.contract" for context in NAMES)):
    import_module(f"ecshop.{module}")  # registers its errors
CONTRACTS: Final = {import_module(f"ecshop.{context}.contract").__name__ for context in NAMES}
BETWEEN_SERVICES: Final = {
    "auth.invalid_client",
    "auth.grant_refused",
    "stock.reservation_released",
    "stock.reservation_conflict",
}
"""Codes that only services hear, of operations that one process does not serve."""


def test_each_process_has_a_document_of_its_own(documents: list[dict[str, Any]]) -> None:
    titles = sorted(document["info"]["title"] for document in documents)
    assert titles in (["ecshop"], sorted(f"ecshop: {name}" for name in NAMES))
    for document in documents:
        assert document["openapi"].startswith("3.1")
        assert document["info"]["version"] == __version__
        assert document["info"]["description"]


def test_the_document_is_valid(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        validate(cast(Any, document))  # it wants a mapping whose keys may be anything


def test_the_document_admits_an_order_that_the_shop_takes(documents: list[dict[str, Any]]) -> None:
    [document] = [one for one in documents if "/orders" in one["paths"]]
    schemas = {"components": document["components"], "$ref": "#/components/schemas/NewOrder"}
    order = {"lines": [{"product_id": 1, "quantity": 5}]}
    jsonschema.Draft202012Validator(schemas).validate(order)
    wrongs: list[dict[str, list[Any]]] = [{"lines": []}, {"lines": order["lines"] * 101}, {"lines": [1]}, {}]
    for wrong in wrongs:
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
        assert bool(operation.written_bodies()) == (wrong <= operation.codes()), operation.name
        if "requestBody" in operation.told:
            assert {"request.too_large", "request.unsupported_media_type"} <= operation.codes(), operation.name


def test_a_body_is_required_unless_the_operation_does_without(operations: list[Operation]) -> None:
    bodies = {one.name: one.told["requestBody"] for one in operations if "requestBody" in one.told}
    assert {name for name, body in bodies.items() if not body["required"]} == {"POST /orders/{order_id}/cancel"}


def test_a_filter_by_time_or_user_says_how_it_is_written(operations: list[Operation]) -> None:
    [listing] = [one for one in operations if one.name == "GET /orders"]
    formats = {one["name"]: one["schema"].get("format") for one in listing.told["parameters"]}
    assert {name for name, format_ in formats.items() if format_ == "date-time"} == {
        "placed_after",
        "placed_before",
        "updated_after",
    }
    assert formats["user_id"] == "uuid"


def test_every_body_has_a_schema_with_examples_in_it(operations: list[Operation]) -> None:
    for operation in operations:
        for content in operation.written_bodies():
            told = list(properties(content["schema"], operation.document))
            assert told, operation.name
            assert any("examples" in one for one in told), operation.name


def test_every_success_has_a_schema_unless_it_says_nothing(operations: list[Operation]) -> None:
    for operation in operations:
        [(status, response)] = [one for one in operation.told["responses"].items() if int(one[0]) < FIRST_FAILURE]
        assert ("content" in response) == (status != "204"), operation.name
        for content in response.get("content", {}).values():
            assert content["schema"], operation.name


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

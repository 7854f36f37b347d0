"""What a front-end developer reads in the documents: roles, bounds, examples, and what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import jsonschema
import pytest

from tests.flows.operations import Operation
from tests.shops import RunningShop

pytestmark = pytest.mark.sqlite_only

NEED_NOTHING: Final = {"health", "live", "jwks"}
"""Operations that touch no database and no neighbour."""
FORBIDDEN: Final = 403


def schemas_in(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from schemas_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from schemas_in(inner)


def test_every_operation_says_which_role_or_scope_it_needs(shop: RunningShop, operations: list[Operation]) -> None:
    for operation in operations:
        text = operation.told["description"]
        if operation.guard == "user":
            [[role]] = [mark["user"] for mark in operation.told["security"]]
            assert f"Needs the role **{role}**." in text, operation.name
            assert (operation.call(shop.customer).status_code == FORBIDDEN) == (role != "customer"), operation.name
        elif operation.guard == "service":
            [[scope]] = [mark["service"] for mark in operation.told["security"]]
            assert f"Needs the scope **{scope}**." in text, operation.name
        else:
            assert "Anybody may call this." in text, operation.name


def test_the_services_scheme_is_there_only_where_services_call(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        asked = {name for mark in schemas_in(document) for name in ("service",) if mark.keys() == {name}}
        internal = any(path.startswith("/internal/") or path == "/auth/token" for path in document["paths"])
        assert ("service" in document["components"]["securitySchemes"]) == (len(documents) > 1)
        assert asked == ({"service"} if internal and "/auth/token" not in document["paths"] else set())


def test_a_context_says_what_it_owns_and_what_its_words_mean(documents: list[dict[str, Any]]) -> None:
    tags = {tag["name"]: tag["description"] for document in documents for tag in document["tags"]}
    assert all(" owns " in tags[name] for name in ("auth", "product", "stock", "order"))
    assert all(f"`{word}`" in tags["product"] for word in ("on_sale", "in_stock", "status"))
    assert all(f"`{word}`" in tags["stock"] for word in ("stock", "reserved", "available"))


def test_alternatives_are_one_list_and_bounds_are_whole_numbers(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        for schema in schemas_in(document):
            for key in ("oneOf", "anyOf"):
                alternatives = schema.get(key, [{}, {}])
                assert len(alternatives) > 1, schema
                assert not any(key in one for one in alternatives), schema
            bounds = [schema.get(key) for key in ("minimum", "maximum", "minLength", "maxLength")]
            assert not any(isinstance(bound, float) or (bound or 0) >= 2**63 for bound in bounds), schema


def test_no_parameter_may_be_null(operations: list[Operation]) -> None:
    for operation in operations:
        for parameter in operation.told.get("parameters", []):
            assert not [one for one in schemas_in(parameter["schema"]) if one.get("type") == "null"], operation.name


def test_every_body_has_an_example_that_its_schema_takes(operations: list[Operation]) -> None:
    for operation in operations:
        for content in operation.written_bodies():
            schema = {"components": operation.document["components"], **content["schema"]}
            jsonschema.Draft202012Validator(schema).validate(content["example"])


def test_every_operation_says_that_it_may_be_unavailable_unless_it_needs_nothing(operations: list[Operation]) -> None:
    for operation in operations:
        assert ("503" in operation.told["responses"]) == (operation.told["operationId"] not in NEED_NOTHING)


def test_every_operation_says_that_it_refuses_what_it_does_not_know(operations: list[Operation]) -> None:
    for operation in operations:
        assert "request.invalid" in operation.codes(), operation.name


def test_what_makes_something_says_where_it_is_found(operations: list[Operation]) -> None:
    for operation in operations:
        made = operation.told["responses"].get("201")
        if made is not None:
            assert made["headers"]["Location"]["description"].startswith("`/"), operation.name

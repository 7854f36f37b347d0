"""The OpenAPI document of an app: what Litestar makes of the handlers, tidied for its readers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Request, Response
from litestar.enums import OpenAPIMediaType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, OpenAPIType, Reference, Schema, SecurityScheme, Tag
from litestar.plugins import OpenAPISchemaPlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.typing import FieldDefinition

from ecshop import __version__
from ecshop.kernel.http.docs import DOCS, LocalSwaggerUi
from ecshop.kernel.http.operation import SECURITY_SCHEMES, SERVICE, Problem
from ecshop.kernel.values import MAX_INT64

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator

_ALTERNATIVES: Final = ("oneOf", "anyOf")
_GENERIC: Final = re.compile(r"\b([A-Za-z]+)_(?:\w+\.)*([A-Za-z]+)_(?=\")")
_NULL: Final = {"type": "null"}
_HEALTH: Final = "Is this process alive, and is it ready?"


class VariadicTuples(OpenAPISchemaPlugin):
    """Litestar takes the `...` of a constrained `tuple[X, ...]` for a second type of item."""

    @staticmethod
    def is_plugin_supported_field(field_definition: FieldDefinition) -> bool:
        return field_definition.origin is tuple and field_definition.args[-1] is Ellipsis

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        limits = field_definition.kwarg_definition
        return Schema(
            type=OpenAPIType.ARRAY,
            items=schema_creator.for_field_definition(field_definition.inner_types[0]),
            min_items=getattr(limits, "min_items", None),
            max_items=getattr(limits, "max_items", None),
        )


class TidyDocument(OpenAPIRenderPlugin):
    """The document at /docs/openapi.json."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON)
        self._rendered = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if not self._rendered:
            handlers = _handlers(request.app.routes)
            document = tidied(openapi_schema, _schemas(_types(handlers)), _optional_bodies(handlers))
            self._rendered = msgspec.json.encode(document)
        return self._rendered


def openapi(title: str, description: str, tags: Mapping[str, str], with_services: bool) -> OpenAPIConfig:
    schemes: dict[str, SecurityScheme | Reference] = {
        name: scheme for name, scheme in SECURITY_SCHEMES.items() if name != SERVICE or with_services
    }
    return OpenAPIConfig(
        title=title,
        version=__version__,
        description=description,
        path=DOCS,
        tags=[Tag(name=name, description=text) for name, text in {**tags, "health": _HEALTH}.items()],
        components=Components(security_schemes=schemes),
        render_plugins=[LocalSwaggerUi(), TidyDocument()],
        operation_id_creator=lambda handler, _method, _path: handler.handler_name,
        use_handler_docstrings=True,
    )


def tidied(document: dict[str, Any], schemas: Mapping[str, Any], optional_bodies: set[str]) -> dict[str, Any]:
    """Structs as msgspec describes them, whole numbers as such, alternatives in one list, an example for every body."""
    components = {**document["components"], "schemas": schemas}
    tidy: dict[str, Any] = _tidy(_renamed({**document, "components": components}))
    tidy["paths"] = dict(sorted(tidy["paths"].items()))
    for operation in _operations(tidy):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])
        if operation.get("operationId") in optional_bodies:
            operation["requestBody"]["required"] = False
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if content["schema"].get("format") != "binary":
                content.setdefault("example", _example(content["schema"], tidy))
    return tidy


def _handlers(routes: Iterable[BaseRoute]) -> list[HTTPRouteHandler]:
    """Of the documented operations."""
    handlers = [handler for route in routes if isinstance(route, HTTPRoute) for handler in route.route_handlers]
    return [handler for handler in handlers if handler.resolve_include_in_schema()]


def _optional_bodies(handlers: Iterable[HTTPRouteHandler]) -> set[str]:
    """The operations that do without theirs, which Litestar documents as required all the same."""
    return {one.handler_name for one in handlers if one.parsed_data_field and not one.parsed_data_field.is_required}


def _types(handlers: Iterable[HTTPRouteHandler]) -> set[Any]:
    """What operations read and answer."""
    fields = [
        field for handler in handlers for field in (handler.parsed_data_field, handler.parsed_return_field) if field
    ]
    return {field.annotation for field in fields if not isinstance(field.annotation, str)} | {Problem}


def _schemas(types: Iterable[Any]) -> dict[str, Any]:
    known = [type_ for type_ in types if _is_described(type_)]
    _, schemas = msgspec.json.schema_components(known, ref_template="#/components/schemas/{name}")
    return dict(sorted(schemas.items()))


def _is_described(type_: Any) -> bool:
    """Litestar's own answers are files, redirects and nothing."""
    return not (isinstance(type_, type) and issubclass(type_, Response | NoneType))


def _renamed(document: dict[str, Any]) -> Any:
    """`Page_ecshop.order.contract.Order_`, or `Page_Order_`, is an OrderPage."""
    renamed = msgspec.json.decode(_GENERIC.sub(r"\2\1", msgspec.json.encode(document).decode()))
    for name, schema in renamed["components"]["schemas"].items():
        schema["title"] = name
    return renamed


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from (operation for operation in path.values() if isinstance(operation, dict))


def _tidy(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return min(int(value), MAX_INT64)  # which is not a float
    if isinstance(value, list):
        return [_tidy(one) for one in value]
    if not isinstance(value, dict):
        return value
    tidy = {name: _tidy(one) for name, one in value.items()}
    for key in _ALTERNATIVES:
        if isinstance(tidy.get(key), list):
            tidy = _with_alternatives(tidy, key, _flat(tidy[key], key))
    return tidy


def _flat(alternatives: list[Any], key: str) -> list[Any]:
    """Alternatives of alternatives are alternatives; each of them once."""
    flat: list[Any] = []
    for one in alternatives:
        for inner in one[key] if set(one) == {key} else [one]:
            if inner not in flat:
                flat.append(inner)
    return flat


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is there is not null; one that may be left out says so by not being required."""
    for key in _ALTERNATIVES:
        if key in schema:
            schema = _with_alternatives(schema, key, [one for one in schema[key] if one != _NULL])
    if isinstance(schema.get("type"), list):
        schema = {**schema, "type": next(kind for kind in schema["type"] if kind != "null")}
    if None in schema.get("enum", ()):
        schema = {**schema, "enum": [value for value in schema["enum"] if value is not None]}
    return schema


def _with_alternatives(schema: dict[str, Any], key: str, alternatives: list[Any]) -> dict[str, Any]:
    """A single alternative is none."""
    others = {name: value for name, value in schema.items() if name != key}
    return others | (alternatives[0] if len(alternatives) == 1 else {key: alternatives})


def _example(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """Made of the examples of the fields: of those that are required, or of the first where none is."""
    if "$ref" in schema:
        return _example(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]], document)
    if examples := schema.get("examples"):
        return examples[0]
    for key in _ALTERNATIVES:
        if key in schema:
            return _example(next(one for one in schema[key] if one != _NULL), document)
    if "properties" in schema:
        names = schema.get("required") or list(schema["properties"])[:1]
        return {name: _example(schema["properties"][name], document) for name in names}
    if "items" in schema:
        return [_example(schema["items"], document)]
    return schema["enum"][0] if "enum" in schema else True

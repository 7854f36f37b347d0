"""The API's documentation: an OpenAPI document at /docs/openapi.json, and Swagger UI at /docs from local files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from litestar import Request, Router
from litestar._openapi.schema_generation import SchemaCreator
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, OpenAPIType, Reference, Schema, SecurityScheme, Tag
from litestar.plugins import OpenAPISchemaPlugin
from litestar.static_files import create_static_files_router
from litestar.typing import FieldDefinition

from ecshop import __version__
from ecshop.kernel.http.operation import SECURITY_SCHEMES, SERVICE

_ASSETS: Final = Path(__file__).parent / "vendor" / "swagger-ui"
_PATH: Final = "/docs"
_HEALTH: Final = "Is this process alive, and is it ready?"
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{path}/assets/favicon-32x32.png">
<link rel="stylesheet" href="{path}/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{path}/assets/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({{
  url: "{path}/openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: true,
  displayRequestDuration: true, validatorUrl: null,
}});
</script>
</body>
</html>
"""


class LocalSwaggerUi(OpenAPIRenderPlugin):
    """Swagger UI that loads nothing from another host."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return _PAGE.format(title=openapi_schema["info"]["title"], path=_PATH).encode()


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


def openapi(title: str, description: str, tags: Mapping[str, str], with_services: bool) -> OpenAPIConfig:
    schemes: dict[str, SecurityScheme | Reference] = {
        name: scheme for name, scheme in SECURITY_SCHEMES.items() if name != SERVICE or with_services
    }
    return OpenAPIConfig(
        title=title,
        version=__version__,
        description=description,
        path=_PATH,
        tags=[Tag(name=name, description=text) for name, text in {**tags, "health": _HEALTH}.items()],
        components=Components(security_schemes=schemes),
        render_plugins=[LocalSwaggerUi()],
        operation_id_creator=lambda handler, _method, _path: handler.handler_name,
        use_handler_docstrings=True,
    )


def assets() -> Router:
    return create_static_files_router(
        path=f"{_PATH}/assets",
        directories=[_ASSETS],
        include_in_schema=False,
    )

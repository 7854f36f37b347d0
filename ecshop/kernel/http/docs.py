"""What a browser finds beside the API: Swagger UI at /docs from local files, an icon, and a way there from /."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from litestar import Request, Router, get
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.params import FromPath
from litestar.response import File, Redirect
from litestar.types import ControllerRouterHandler

from ecshop.kernel.errors import NoSuchPath

DOCS: Final = "/docs"
_OWN: Final = Path(__file__).parent / "assets"
_ICON: Final = _OWN / "favicon.svg"
_SWAGGER_UI: Final = Path(__file__).parent / "vendor" / "swagger-ui"
_ASSETS: Final = {
    "docs.js": (_OWN, "text/javascript"),
    "swagger-ui-bundle.js": (_SWAGGER_UI, "text/javascript"),
    "swagger-ui.css": (_SWAGGER_UI, "text/css"),
}
_A_DAY: Final = {"cache-control": "public, max-age=86400"}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/favicon.ico">
<link rel="stylesheet" href="{path}/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{path}/assets/swagger-ui-bundle.js"></script>
<script src="{path}/assets/docs.js"></script>
</body>
</html>
"""


class LocalSwaggerUi(OpenAPIRenderPlugin):
    """Swagger UI that loads nothing from another host."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return _PAGE.format(title=openapi_schema["info"]["title"], path=DOCS).encode()

    def receive_router(self, router: Router) -> None:
        """Take out Litestar's page for what is not there: that is a problem here as everywhere."""
        router.routes = [route for route in router.routes if route.path_format != f"{DOCS}/{{path}}"]


def pages(*, with_front: bool) -> list[ControllerRouterHandler]:
    """Routes that are no part of the API."""
    return [*([_front] if with_front else []), _icon, _asset]


@get("/", include_in_schema=False)
async def _front() -> Redirect:
    return Redirect(DOCS)


@get("/favicon.ico", include_in_schema=False)
async def _icon() -> File:
    return File(_ICON, media_type="image/svg+xml", content_disposition_type="inline")


@get(f"{DOCS}/assets/{{name:str}}", include_in_schema=False)
async def _asset(name: FromPath[str]) -> File:
    if name not in _ASSETS:
        raise NoSuchPath(f"nothing is served at {DOCS}/assets/{name}; see {DOCS}")
    folder, media_type = _ASSETS[name]
    return File(folder / name, media_type=media_type, content_disposition_type="inline", headers=_A_DAY)

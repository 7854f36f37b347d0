"""The API docs of the whole shop as files, for a gateway that has one /docs for all services."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

from httpx import ASGITransport, AsyncClient

from ecshop.auth.keys import new_key
from entrypoints.compose import compose
from entrypoints.settings import Settings

FILES: Final = {
    "index.html": "/docs",
    "openapi.json": "/docs/openapi.json",
    "assets/docs.js": "/docs/assets/docs.js",
    "assets/swagger-ui.css": "/docs/assets/swagger-ui.css",
    "assets/swagger-ui-bundle.js": "/docs/assets/swagger-ui-bundle.js",
    "favicon.svg": "/favicon.ico",
}
"""By name, where the one-process shop serves them."""
_FOR_ALL: Final = 0o644
"""Whoever serves them works as another user."""


def write_docs(folder: Path) -> list[Path]:
    """Returns what was written."""
    with TemporaryDirectory() as nothing:
        shop = compose(Settings(data_dir=nothing, shop_id="docs", signing_key=new_key().decode()))
        transport = ASGITransport(cast(Any, shop.app()))  # Litestar and httpx have names of their own for ASGI's types
        return asyncio.run(_write(folder, AsyncClient(transport=transport, base_url="http://shop")))


async def _write(folder: Path, http: AsyncClient) -> list[Path]:
    written: list[Path] = []
    async with http:
        for name, path in FILES.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((await http.get(path)).raise_for_status().content)
            file.parent.chmod(_FOR_ALL | 0o111)
            file.chmod(_FOR_ALL)
            written.append(file)
    return written

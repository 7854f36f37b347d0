"""The whole shop for any ASGI server: `uvicorn entrypoints.asgi:app`."""

import os
from typing import Any

from litestar.types import ASGIApp, LifeSpanReceive, LifeSpanSend

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.telemetry.logs import configure_logging
from entrypoints.compose import compose
from entrypoints.contexts import ALL
from entrypoints.environment import read_settings
from entrypoints.shop import Shop
from entrypoints.tracing import name_of, tracing


def starting_with_its_server(shop: Shop) -> ASGIApp:
    """The shop's app; the server's lifespan events start and stop the shop."""
    serving = shop.app()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _live(shop, receive, send)
        else:
            await serving(scope, receive, send)

    return app


async def _live(shop: Shop, receive: LifeSpanReceive, send: LifeSpanSend) -> None:
    await receive()
    try:
        with tracing(settings, name_of(ALL)):
            async with shop.running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
    except EcshopError as error:
        await send({"type": "lifespan.startup.failed", "message": f"ecshop: {error.detail}"})
    else:
        await send({"type": "lifespan.shutdown.complete"})


try:
    os.umask(0o077)
    settings = read_settings(os.environ)
    configure_logging(settings.log_form, project=settings.google_cloud_project)
    app = starting_with_its_server(compose(settings))
except EcshopError as error:
    raise SystemExit(f"ecshop: {error.detail}") from None

"""The whole shop for any ASGI server: `uvicorn entrypoints.asgi:app`."""

import os

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.telemetry.logs import configure_logging
from entrypoints.compose import compose
from entrypoints.settings import read_settings

configure_logging()
try:
    app = compose(read_settings(os.environ)).app(owns_lifespan=True)
except EcshopError as error:
    raise SystemExit(f"ecshop: {error.detail}") from None

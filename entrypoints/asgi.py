"""The whole shop for any ASGI server: `uvicorn entrypoints.asgi:app`."""

import os

from ecshop.kernel.telemetry.logs import configure_logging
from entrypoints.compose import compose
from entrypoints.settings import read_settings

configure_logging()
app = compose(read_settings(os.environ)).app(owns_lifespan=True)

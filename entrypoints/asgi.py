"""The whole shop for any ASGI server: `uvicorn entrypoints.asgi:app`."""

import os

from ecshop.kernel.observability import configure_logging
from ecshop.kernel.settings import read_settings
from entrypoints.compose import compose

configure_logging()
app = compose(read_settings(os.environ)).app(owns_lifespan=True)

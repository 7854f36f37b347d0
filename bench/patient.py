"""Requests of measurements and tests: they wait as long as a busy machine takes, since none of these is timed."""

from __future__ import annotations

from functools import partial

import httpx

PATIENCE = 30
"""Seconds; httpx alone gives up after 5."""
START = 120
"""Seconds that a server has to start, where starts are not what is measured."""

request = partial(httpx.request, timeout=PATIENCE)
get = partial(httpx.get, timeout=PATIENCE)
post = partial(httpx.post, timeout=PATIENCE)
options = partial(httpx.options, timeout=PATIENCE)

"""Relays and consumers without HTTP, for databases that admit several processes."""

from __future__ import annotations

from entrypoints.compose import compose
from entrypoints.contexts import NAMES
from entrypoints.serve import uvloop_runner
from entrypoints.settings import BadSetting, Settings
from entrypoints.stopping import LAST_STOP, stop_signal


def run_worker(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM. Raises `BadSetting` on SQLite, whose one process does this work itself."""
    if not all(settings.server_of(name) for name in NAMES):
        raise BadSetting(
            "a worker shares its databases with servers, and SQLite admits one process: "
            "set ECSHOP_DATABASE_URL to a PostgreSQL, or let the shop do this work itself, as it does"
        )
    with uvloop_runner() as runner:
        runner.run(_work(settings))


async def _work(settings: Settings) -> None:
    stop = stop_signal(within=LAST_STOP)
    async with compose(settings).running():
        await stop.wait()

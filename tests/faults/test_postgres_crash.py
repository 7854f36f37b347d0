"""A PostgreSQL that crashes and recovers while buyers order: it has acknowledged what it keeps, and nothing else."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Final

import psycopg
import pytest
from sqlalchemy import make_url

from bench.postgres import NoPostgres, Postgres, four_databases
from entrypoints.signing_keys import key_of
from tests.faults.buying import no_order_is_lost_or_doubled
from tests.shops import shop_together
from tests.waiting import eventually

CRASHES: Final = 3
EVERY: Final = 1.5  # seconds
RECOVERED_WITHIN: Final = 60


class Crashing:
    """One of the server's processes dies by SIGKILL: it then ends all others, and recovers by its log."""

    def __init__(self, postgres: Postgres) -> None:
        url = make_url(postgres.setting.replace("{context}", "order")).set(drivername="postgresql")
        self._address = url.render_as_string(hide_password=False)

    def work(self) -> None:
        for _ in range(CRASHES):
            threading.Event().wait(EVERY)
            eventually(self._crashes, True, seconds=RECOVERED_WITHIN)

    def _crashes(self) -> bool:
        """A server that has not recovered yet admits nobody."""
        try:
            connection = psycopg.connect(self._address)
        except psycopg.OperationalError:
            return False
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        connection.close()
        return True


def test_no_order_is_lost_or_doubled_when_the_server_crashes(tmp_path: Path) -> None:
    try:
        with (
            four_databases("") as postgres,
            shop_together(tmp_path, ECSHOP_DATABASE_URL=postgres.setting) as shop,
        ):
            address = shop.url("/order").removesuffix("/order")
            no_order_is_lost_or_doubled(address, key_of(shop.settings), shop.settings, Crashing(postgres).work)
    except NoPostgres as reason:
        pytest.skip(str(reason))

"""Which one of several processes does what one alone should do for a database."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from ecshop.kernel.db.engine import shown
from ecshop.kernel.db.transaction import AWAY
from ecshop.kernel.errors import Aborted

log = structlog.get_logger("database")

_LOOK_EVERY: Final = 1.0  # seconds
_NOTICE_THE_DEAD: Final = tuple(
    f"SET tcp_keepalives_{name} = {value}" for name, value in {"idle": 1, "interval": 1, "count": 2}.items()
)
"""In three seconds, where a whole machine is gone; a process that is gone is noticed at once."""
_TRY: Final = text("SELECT pg_try_advisory_lock(hashtextextended('lead ' || current_schema(), 0))")
_ONE: Final = text("SELECT 1")


class Lead:
    """The owner of a SQLite file leads always. On a server it is whoever holds an advisory lock, by a connection of its
    own: the lock ends with that, and so with the process (PostgreSQL, section 13.3.5).

    For a second after such a connection has broken two may lead: this spares work, and nothing is right by it alone.
    """

    def __init__(self, engine: Engine, *, look_every: float = _LOOK_EVERY) -> None:
        self._engine, self._look_every = engine, look_every
        self._connection: Connection | None = None
        self._leads = engine.dialect.name == "sqlite"
        self._looked = math.inf if self._leads else -math.inf
        self._looking = asyncio.Lock()

    async def held(self) -> bool:
        """Asked again and again: who leads makes sure that it still does, and the others try to. Raises `Aborted`."""
        async with self._looking:
            if time.monotonic() > self._looked + self._look_every:
                led = self._leads
                self._leads = await asyncio.to_thread(self._look)
                self._looked = time.monotonic()
                if self._leads and not led:
                    log.info("this process leads: it relays events, and purges", database=shown(self._engine.url))
            return self._leads

    def close(self) -> None:
        """Let another one lead."""
        connection, self._connection, self._leads = self._connection, None, False
        if connection is not None:
            with suppress(DBAPIError):
                connection.close()

    def _look(self) -> bool:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return bool(self._connection.scalar(_ONE if self._leads else _TRY))
        except DBAPIError as cause:
            self.close()
            raise Aborted(AWAY) from cause

    def _connect(self) -> Connection:
        """Closed by its `close`, instead of going back to the others."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        for setting in _NOTICE_THE_DEAD:
            connection.exec_driver_sql(setting)
        return connection

"""One thread's connection to a database."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session


class Connected:
    """Made when it is needed, and again when it has failed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._session: Session | None = None

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def session(self) -> Session:
        if self._session is None:
            self._session = Session(self.connection(), expire_on_commit=False)
        return self._session

    def end(self) -> None:
        """Close it for good, not to be used by others: whoever had it will have no other one."""
        if self._connection is not None and not self._connection.invalidated:
            self._connection.detach()
        self.close()

    def close(self) -> None:
        session, connection = self._session, self._connection
        self._session = self._connection = None
        for opened in (session, connection):
            if opened is not None:
                with suppress(DBAPIError):
                    opened.close()

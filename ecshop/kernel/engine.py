"""What differs between SQLite and PostgreSQL, so that nothing else has to know."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event, make_url

from ecshop.kernel.errors import EcshopError

_BUSY_TIMEOUT: Final = 5000  # milliseconds
_POSTGRES_SETTINGS: Final = "-c statement_timeout=10000 -c lock_timeout=5000 -c timezone=UTC"


class DatabaseInUse(EcshopError, code="database.in_use", status=503):
    """Another server owns this SQLite file; two writing servers on one file could corrupt it."""


def writing(engine: Engine) -> Engine:
    """The same pool, for transactions that write: SQLite takes its write lock at BEGIN instead of failing later."""
    return engine.execution_options(ecshop_writes=True)


def open_engine(url: str, *, synchronous: str = "FULL", guest: bool = False) -> Engine:
    """An engine with the pragmas and time-outs that the shop relies on.

    A `guest` is a short-lived command beside a running shop: it never checkpoints the shop's write-ahead log.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(
            url, connect_args={"options": _POSTGRES_SETTINGS}, pool_pre_ping=True, hide_parameters=True
        )
    engine = create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)
    pragmas = [
        f"busy_timeout={_BUSY_TIMEOUT}",
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "foreign_keys=ON",
        *(["wal_autocheckpoint=0"] if guest else []),
    ]

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.create_function("lower", 1, _lower, deterministic=True)  # its own knows ASCII alone
        connection.isolation_level = None  # pysqlite's own BEGINs come too late and commit too early
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _(connection: Any) -> None:
        writes = connection.get_execution_options().get("ecshop_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


@contextmanager
def ownership(url: str) -> Iterator[None]:
    """Own the SQLite file behind `url` while the context lasts; a PostgreSQL database admits many.

    Raises `DatabaseInUse` when another process owns it.
    """
    path = make_url(url).database
    if make_url(url).get_backend_name() != "sqlite" or path is None:
        yield
        return
    with owned(Path(path)):
        yield


@contextmanager
def owned(file: Path) -> Iterator[int]:
    """Own a file of the data folder; gives the descriptor of the lock, which a child process may inherit.

    The lock is the kernel's: it ends with the last process that holds it, so a killed owner leaves none.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with Path(f"{file}.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise DatabaseInUse(
                f"{file} is in use by the server with process id {owner} or by what it left running; "
                "stop that, or choose another --data-dir"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock.fileno()

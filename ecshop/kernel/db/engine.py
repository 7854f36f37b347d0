"""What differs between SQLite and PostgreSQL, so that nothing else has to know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import structlog
from sqlalchemy import URL, Connection, Engine, FromClause, create_engine, event, make_url, text
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection

from ecshop.kernel.errors import EcshopError, TookTooLong
from ecshop.kernel.file_lock import file_lock

log = structlog.get_logger("database")

_BUSY_TIMEOUT: Final = 5000  # milliseconds
_CHECKPOINT_AT: Final = 2000
"""Pages in a write-ahead log at which the writer folds it into its file. At SQLite's own 1,000 an order of a large shop
takes a twentieth more CPU; at 4,000 the others wait for 25 ms meanwhile instead of 17.
"""
_LARGEST_LOG: Final = 16 * 2**20  # bytes that a write-ahead log keeps once the reader that held it up is gone
_POSTGRES_SETTINGS: Final = "-c statement_timeout=10000 -c lock_timeout=5000 -c timezone=UTC"
_CONNECT_TIMEOUT: Final = 5  # seconds
_SQLITE_IS_DOWN: Final = ("BUSY", "LOCKED", "FULL", "IOERR", "READONLY", "CANTOPEN", "CORRUPT", "NOTADB", "PROTOCOL")
_POSTGRES_IS_DOWN: Final = ("08", "53", "57P", "25006")
"""Connections, resources, a server that goes down, one that only reads (PostgreSQL, appendix A)."""
_COLLISIONS: Final = {"40001", "40P01"}
"""A serialization failure, a deadlock (PostgreSQL, appendix A)."""
_LOCKED: Final = "55P03"
_STOPPED: Final = {"SQLITE_INTERRUPT", "57014"}
_LOOK_AFTER: Final = 1_000_000  # of SQLite's steps, about a tenth of a second: each look waits for the interpreter
_WRITES: Final = "writes"
"""The mark of a connection that is out for transactions which write."""
_ONE: Final = text("SELECT 1")
_HEADER: Final = text("PRAGMA user_version")
_SAME_HEADER: Final = text("PRAGMA user_version = 0")
_SCHEMA: Final = "schema"
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))")
_TRANSACTION: Final = text("SELECT pg_current_xact_id()")


class DatabaseUnusable(EcshopError, code="database.unusable", status=503):
    """The database cannot be opened, or is at a version that this code does not know."""

    @classmethod
    def by(cls, cause: DBAPIError, url: URL) -> Self:
        return cls(f"the database {shown(url)} cannot be used: {str(cause.orig).splitlines()[0]}")


class LogLost(EcshopError, code="database.log_lost", status=503):
    """A SQLite file without the write-ahead log that its last server left: what that held is lost."""

    @classmethod
    def of(cls, url: URL) -> Self:
        return cls(
            f"{url.database} has lost its log {url.database}-wal, and with it what was written last: bring it back, "
            f"or accept the loss with `ecshop data accept {Path(str(url.database)).stem}`"
        )


def shown(url: URL) -> str:
    """How messages name a database: by its file, or by its address without the password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string()


def writing(engine: Engine) -> Engine:
    """The same pool, for transactions that write: SQLite takes its write lock at BEGIN instead of failing later."""
    sibling = engine.execution_options()

    def connect() -> PoolProxiedConnection:
        connection = engine.raw_connection()
        connection.info[_WRITES] = True
        return connection

    sibling.raw_connection = connect  # type: ignore[method-assign]  # an engine has no other hook for it
    return sibling


def open_engine(
    url: str | URL, *, synchronous: str = "FULL", page_cache_mb: int = 2, mmap_mb: int = 0, guest: bool = False
) -> Engine:
    """An engine with the pragmas and time-outs that the shop relies on.

    Each connection to a file has a page cache of its own; what is mapped of the file, all share with the system. A
    `guest` is a short-lived command beside a running shop: it never checkpoints the shop's write-ahead log.
    """
    url = make_url(url)
    if url.get_backend_name() != "sqlite":
        return _open_server(url)
    engine = create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)
    pragmas = [
        f"busy_timeout={_BUSY_TIMEOUT}",
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "foreign_keys=ON",
        f"journal_size_limit={_LARGEST_LOG}",
        f"cache_size=-{page_cache_mb * 1000}",  # of 1,024 bytes; SQLite's own default is -2000
        f"mmap_size={mmap_mb * 2**20}",
        f"wal_autocheckpoint={0 if guest else _CHECKPOINT_AT}",
    ]

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # pysqlite's own BEGINs come too late and commit too early
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "checkin")
    def _(_connection: Any, record: Any) -> None:
        record.info.pop(_WRITES, None)

    engine.dialect.statement_compiler = _Compiler
    engine.dialect.do_begin = _begin  # type: ignore[assignment]  # it is called as a function, with the connection alone
    return engine


class _Compiler(SQLiteCompiler):
    def get_from_hint_text(self, table: FromClause, text: str | None) -> str | None:
        """SQLAlchemy knows no hints of SQLite: `INDEXED BY` (SQLite's documentation, of that name)."""
        return text


def _open_server(url: URL) -> Engine:
    """What the address says besides is kept, libpq's own `options` too; `schema` is ours."""
    options, schema = [_POSTGRES_SETTINGS, str(url.query.get("options", ""))], url.query.get(_SCHEMA)
    if schema:
        options.append(f"-c search_path={schema},public")
    engine = create_engine(
        url.difference_update_query(["options", _SCHEMA]),
        connect_args={"options": " ".join(options).strip(), "connect_timeout": _CONNECT_TIMEOUT},
        pool_pre_ping=True,
        pool_size=0,  # no bound of its own: each thread of a lane keeps one
        hide_parameters=True,
    )
    engine.update_execution_options(**{_SCHEMA: schema})
    return engine


def own_schema(connection: Connection) -> str | None:
    """The schema that the address of a server's database names, whether or not it is there yet."""
    schema: str | None = connection.get_execution_options().get(_SCHEMA)
    return schema


def wait_for_turn(connection: Connection, what: str) -> None:
    """Be alone among those who do `what` to a server's database until this transaction ends, however long each takes.

    A statement may take any time from now on; but it waits for the locks of others for a second at most, for meanwhile
    everybody else waits behind it.
    """
    for statement in ("SET LOCAL statement_timeout = 0", "SET LOCAL lock_timeout = 0"):
        connection.execute(text(statement))
    connection.execute(_LOCK, {"what": what})
    connection.execute(text("SET LOCAL lock_timeout = 1000"))


def _begin(connection: PoolProxiedConnection) -> None:
    """pysqlite's own BEGINs come too late, and commit too early.

    A listener for `begin` would do as well, but SQLAlchemy then looks for listeners at each statement: 13 us an order.
    """
    connection.cursor().execute("BEGIN IMMEDIATE" if _WRITES in connection.info else "BEGIN")


def is_down(error: DBAPIError) -> bool:
    """Whether the database as a whole cannot be used now, and not this statement alone."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return str(name).removeprefix("SQLITE_").startswith(_SQLITE_IS_DOWN)
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return error.connection_invalidated or isinstance(error, OperationalError)
    return str(state).startswith(_POSTGRES_IS_DOWN)


def is_collision(error: DBAPIError) -> bool:
    """Whether a server has ended this transaction so that another one can go on: it may do the next time."""
    return str(getattr(error.orig, "sqlstate", None)) in _COLLISIONS


def is_held_up(error: DBAPIError) -> bool:
    """Whether a server has waited for somebody else's lock for as long as it may."""
    return str(getattr(error.orig, "sqlstate", None)) == _LOCKED


def try_to_read(session: Session) -> None:
    session.execute(_HEADER if session.get_bind().dialect.name == "sqlite" else _ONE)


def try_to_write(session: Session) -> None:
    """A real commit that changes nothing: SQLite writes its header anew, PostgreSQL counts a transaction."""
    session.execute(_SAME_HEADER if session.get_bind().dialect.name == "sqlite" else _TRANSACTION)


@contextmanager
def stopped_after(session: Session, seconds: float) -> Iterator[None]:
    """Raises `TookTooLong` where the database works for longer: SQLite in all, PostgreSQL on one statement."""
    limit = _limited_file if session.get_bind().dialect.name == "sqlite" else _limited_server
    try:
        with limit(session, seconds):
            yield
    except DBAPIError as cause:
        if _STOPPED.isdisjoint({getattr(cause.orig, "sqlite_errorname", None), getattr(cause.orig, "sqlstate", None)}):
            raise
        raise TookTooLong("this took too long; ask for less, or try again later") from cause


@contextmanager
def _limited_file(session: Session, seconds: float) -> Iterator[None]:
    driver = session.connection().connection.driver_connection
    assert driver is not None
    end = time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > end, _LOOK_AFTER)
    try:
        yield
    finally:
        driver.set_progress_handler(None, _LOOK_AFTER)


@contextmanager
def _limited_server(session: Session, seconds: float) -> Iterator[None]:
    session.execute(text(f"SET LOCAL statement_timeout = {round(seconds * 1000)}"))
    yield


def fold_large_log(connection: Connection) -> None:
    """Fold a write-ahead log that has grown, as behind a long reader, into its file, and give its space back."""
    log_file = Path(f"{connection.engine.url.database}-wal")
    if not log_file.exists() or log_file.stat().st_size <= _LARGEST_LOG:
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA busy_timeout=0")
    [is_held_up, _, _] = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    driver.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT}")
    if is_held_up:
        megabytes = round(log_file.stat().st_size / 2**20)
        log.warning("somebody reads for long and holds up a database's log", log=str(log_file), megabytes=megabytes)


@contextmanager
def ownership(url: str | URL) -> Iterator[None]:
    """Own the SQLite file behind `url` while the context lasts; a PostgreSQL database admits many.

    Raises `FileInUse` when another process owns it.
    """
    url = make_url(url)
    path = url.database
    if url.get_backend_name() != "sqlite" or path is None:
        yield
        return
    with file_lock(Path(path)):
        yield

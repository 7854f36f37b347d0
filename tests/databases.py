"""Databases of a test's own, in files or on a PostgreSQL: copies of one that was migrated once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, LiteralString, Protocol
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

from bench.postgres import DEBIAN, NoPostgres, found_programs, own_server
from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.db.migration import migrate
from entrypoints.contexts import CONTEXTS

_SETTINGS: Final = {"max_connections": "300", "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""Of the server that the tests start: many shops at a time, and nothing that has to outlive them."""

_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 4 * 2**30  # bytes


class Databases(Protocol):
    setting: str
    """What `ECSHOP_DATABASE_URL` says for a shop on these; it is empty for files, which lie in the test's folder."""

    def url(self, name: str, versions: Path | None = None) -> URL:
        """The database of that name, at the newest of the schema `versions`, or empty; the same one each time."""

    def copy(self, name: str, of: URL) -> URL:
        """The database of that name, as a copy of one that nobody uses."""


class Files:
    """SQLite; `templates` is a folder that tests share."""

    setting = ""

    def __init__(self, folder: Path, templates: Path) -> None:
        self._folder, self._templates = folder, templates

    def url(self, name: str, versions: Path | None = None) -> URL:
        file = self._folder / f"{name}.db"
        if versions is not None and not file.exists():
            shutil.copyfile(self._template(versions), file)
        return URL.create("sqlite", database=str(file))

    def copy(self, name: str, of: URL) -> URL:
        shutil.copyfile(str(of.database), self._folder / f"{name}.db")
        return self.url(name)

    def _template(self, versions: Path) -> Path:
        file = self._templates / f"{'-'.join(versions.parts[-2:])}.db"
        if not file.exists():
            _migrated(URL.create("sqlite", database=str(file)), versions)
        return file


class PostgresServer:
    """A server whose databases are cheap: each is a copy, made in some milliseconds."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._run = f"test_{uuid4().hex[:12]}"
        self._groups = 0
        self._templates: dict[Path, str] = {}
        self._made: set[str] = set()
        self._connection = psycopg.connect(_libpq(url), autocommit=True)

    def url(self, database: str) -> URL:
        return self._url.set(database=database)

    def new_group(self) -> str:
        """A prefix for names that no other run on this server has."""
        self._groups += 1
        return f"{self._run}_{self._groups}"

    def create(self, database: str, template: str) -> None:
        self._do("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", database, template)
        self._made.add(database)

    def drop(self, database: str) -> None:
        self._do("DROP DATABASE {} WITH (FORCE)", database)
        self._made.remove(database)

    @contextmanager
    def refusing(self, database: str) -> Iterator[None]:
        """It ends the connections to this database and takes no others while the context lasts."""
        self._do("ALTER DATABASE {} ALLOW_CONNECTIONS false", database)
        self._connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database]
        )
        yield
        self._do("ALTER DATABASE {} ALLOW_CONNECTIONS true", database)

    @contextmanager
    def admitting(self, database: str, *, connections: int) -> Iterator[str]:
        """A user who owns this database and has so many connections at most; yields the name."""
        name = f"{database}_user"
        user, limit = sql.Identifier(name), sql.Literal(connections)
        self._connection.execute(sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT {}").format(user, limit))
        with psycopg.connect(_libpq(self.url(database)), autocommit=True) as inside:
            inside.execute(sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA public TO {}").format(user))
            try:
                yield name
            finally:
                inside.execute(sql.SQL("DROP OWNED BY {}").format(user))
                inside.execute(sql.SQL("DROP ROLE {}").format(user))

    def admit(self, name: str, *, connections: int) -> None:
        """So many from now on; those that there are stay."""
        limit = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(sql.Identifier(name), sql.Literal(connections))
        self._connection.execute(limit)

    def end_one_connection(self, name: str) -> None:
        one = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s LIMIT 1"
        self._connection.execute(one, [name])

    def template(self, versions: Path) -> str:
        if versions not in self._templates:
            name = f"{self.new_group()}_template"
            self.create(name, "template1")
            self._templates[versions] = name
            _migrated(self.url(name), versions)
        return self._templates[versions]

    def close(self) -> None:
        """Drops what is left, also by a test that failed."""
        for database in list(self._made):
            self.drop(database)
        self._connection.close()

    def _do(self, statement: LiteralString, *names: str) -> None:
        self._connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class OnPostgres:
    """Databases that are gone when they are closed."""

    def __init__(self, server: PostgresServer) -> None:
        self._server, self._group = server, server.new_group()
        self._made: set[str] = set()
        any_of_them = server.url(f"{self._group}_context").render_as_string(hide_password=False)
        self.setting = any_of_them.replace(f"{self._group}_context", f"{self._group}_{{context}}")

    def url(self, name: str, versions: Path | None = None) -> URL:
        return self._made_of(name, lambda: "template1" if versions is None else self._server.template(versions))

    def copy(self, name: str, of: URL) -> URL:
        return self._made_of(name, lambda: str(of.database))

    def close(self) -> None:
        for database in self._made:
            self._server.drop(database)

    def _made_of(self, name: str, template: Callable[[], str]) -> URL:
        database = f"{self._group}_{name}"
        if database not in self._made:
            self._server.create(database, template())
            self._made.add(database)
        return self._server.url(database)


@contextmanager
def databases_on(dbms: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Databases]:
    """On `sqlite`, in that folder, or on `postgres`."""
    if dbms == "sqlite":
        yield Files(folder, request.getfixturevalue("templates"))
        return
    made = OnPostgres(request.getfixturevalue("postgres"))
    yield made
    made.close()


def for_a_shop(databases: Databases, *, migrated: bool) -> str:
    """Makes those of all contexts, and returns the setting."""
    for context in CONTEXTS:
        databases.url(context.name, context.module.MIGRATIONS if migrated else None)
    return databases.setting


def put_migrated_files(folder: Path) -> None:
    """Those of a shop that was started here once, where there are none: hundreds would else migrate, one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _migrated_files().items():
        with suppress(FileExistsError), (folder / f"{name}.db").open("xb") as file:
            Path(file.name).chmod(0o600)
            file.write(content)


@cache
def _migrated_files() -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        for context in CONTEXTS:
            _migrated(URL.create("sqlite", database=f"{folder}/{context.name}.db"), context.module.MIGRATIONS)
        return {context.name: Path(f"{folder}/{context.name}.db").read_bytes() for context in CONTEXTS}


@contextmanager
def postgres_server(url: str) -> Iterator[PostgresServer]:
    """The one behind `url`, or, where that is empty, one of the test process's own."""
    with nullcontext(make_url(url)) if url else _own_server() as address:
        server = PostgresServer(address.set(drivername="postgresql+psycopg"))
        try:
            yield server
        finally:
            server.close()


@contextmanager
def _own_server() -> Iterator[URL]:
    """Of Debian where that is installed, for it has pg_trgm. Its data is in no folder of pytest's: a second run closes
    those for the user that the server runs as.
    """
    try:
        programs = sorted(found_programs(), key=lambda folder: not folder.is_relative_to(DEBIAN))
        with own_server(programs[0], beside=_memory(), settings=_SETTINGS) as (url, _):
            yield url
    except NoPostgres as reason:
        pytest.skip(str(reason))


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _memory() -> Path | None:
    """Where a copied database costs a tenth of what it does on a slow disk."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM else None


def _migrated(url: URL, versions: Path) -> None:
    engine = open_engine(url, synchronous="OFF")
    try:
        migrate(engine, versions)
    finally:
        engine.dispose()

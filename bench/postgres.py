"""A PostgreSQL for the bench: the one that is named, or one of its own that waits for the disk at each commit."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from entrypoints.contexts import NAMES

VARIABLE: Final = "ECSHOP_BENCH_DATABASE_URL"
DEBIAN: Final = Path("/usr/lib/postgresql")
_USERS: Final = ("postgres", "nobody")
"""Whom a server runs as that root has started: PostgreSQL refuses root."""
_START: Final = 30.0  # seconds
_SAFE: Final = ("fsync", "synchronous_commit", "full_page_writes")


class NoPostgres(Exception):
    """There is none to be found or started."""


class Postgres(NamedTuple):
    """Databases for one shop."""

    setting: str
    """What `ECSHOP_DATABASE_URL` says for a shop on them."""
    version: str
    pid: int | None
    """Of the server, where it is our own."""

    def analyze(self) -> None:
        """What autovacuum does within the first minutes: until then the server takes all tables for small ones."""
        for name in NAMES:
            with psycopg.connect(_libpq(make_url(self.setting.replace("{context}", name))), autocommit=True) as one:
                one.execute("ANALYZE")


@contextmanager
def four_databases(named: str) -> Iterator[Postgres]:
    """On the server that is `named`, or on one of our own; dropped afterwards. Raises `NoPostgres`."""
    if named:
        with _databases(make_url(named).set(drivername="postgresql+psycopg"), None) as made:
            yield made
    else:
        with own_server(found_programs()[0]) as (url, pid), _databases(url, pid) as made:
            yield made


@contextmanager
def _databases(server: URL, pid: int | None) -> Iterator[Postgres]:
    prefix = f"bench_{uuid4().hex[:8]}_"
    names = [sql.Identifier(f"{prefix}{name}") for name in NAMES]
    with _connected(server) as connection:
        for setting in _SAFE:
            [value] = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(setting))).fetchone() or ["?"]
            if value != "on":
                raise NoPostgres(f"its {setting} is {value}: it may lose what it has committed")
        for name in names:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        version = str(connection.info.parameter_status("server_version"))
    try:
        setting = server.set(database=f"{prefix}CONTEXT").render_as_string(hide_password=False)
        yield Postgres(setting.replace("CONTEXT", "{context}"), version, pid)
    finally:
        with _connected(server) as connection:
            for name in names:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _connected(server: URL) -> psycopg.Connection:
    try:
        return psycopg.connect(_libpq(server), autocommit=True)
    except psycopg.OperationalError as cause:
        raise NoPostgres(f"{server.render_as_string()} does not answer: {cause}") from cause


@contextmanager
def own_server(
    programs: Path, *, beside: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[URL, int]]:
    """Its socket lies with its data, in a new folder `beside` others; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ecshop-postgres-", dir=beside) as name:
        folder, user = Path(name), _user()
        data, log = folder / "data", folder / "server.log"
        if user:
            shutil.chown(folder, user)
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"],
            check=False,
            user=user,
            cwd="/",
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise NoPostgres(f"{programs}/initdb does not do: {made.stderr.strip()}")
        told = [f"-c{name}={value}" for name, value in {"listen_addresses": "", **(settings or {})}.items()]
        command = [str(programs / "postgres"), "-D", str(data), "-k", str(folder), *told]
        with log.open("wb") as output:
            server = subprocess.Popen(command, user=user, cwd="/", stdout=output, stderr=output)
        try:
            url = URL.create("postgresql+psycopg", "postgres", database="postgres", query={"host": str(folder)})
            _wait_for(url, server, log)
            yield url, server.pid
        finally:
            server.send_signal(signal.SIGINT)  # "fast": whoever is connected is not waited for
            server.wait(timeout=_START)


def found_programs() -> list[Path]:
    """Of each PostgreSQL here: that of the pgserver wheel, and those that Debian has installed, the newest first."""
    wheel = find_spec("pgserver")
    found = [Path(wheel.origin).parent / "pginstall" / "bin"] if wheel and wheel.origin else []
    found += sorted(DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
    found = [folder for folder in found if (folder / "initdb").exists()]
    if not found:
        raise NoPostgres(f"{VARIABLE} names none, the pgserver wheel is not installed, and nothing is in {DEBIAN}")
    return found


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    for name in _USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise NoPostgres("there is no user that a server could run as: do not run the bench as root")


def _wait_for(url: URL, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(psycopg.OperationalError):
            psycopg.connect(_libpq(url)).close()
            return
        time.sleep(0.05)
    raise NoPostgres(f"the server did not start: {log.read_text()}")


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)

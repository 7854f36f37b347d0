"""A shop that rests moves with all that it has from files to a server, or back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import URL, Connection, Row, Table, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ecshop.auth.key_file import take_signing_key
from ecshop.auth.key_table import keep_signing_key
from ecshop.auth.models import SigningKeyRow
from ecshop.events import tables
from ecshop.events.outbox import resend_published
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.engine import DatabaseUnusable, open_engine, ownership, shown, writing
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.db.schema_version import require_own
from ecshop.kernel.errors import EcshopError
from entrypoints.contexts import CONTEXTS, ContextEntry
from entrypoints.databases import url_of
from entrypoints.identity import Identity
from entrypoints.operations import NoShop
from entrypoints.settings import Settings
from entrypoints.signing_keys import pem_of

_AT_ONCE: Final = 2000
_DIGEST: Final = 2**256
_EVER: Final = datetime.fromtimestamp(0, UTC)
_APART: Final = SigningKeyRow.__table__
"""The key goes from place to place, as from a file into this."""
_OTHERS: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_TAKE_TIME: Final = text("SET LOCAL statement_timeout = 0")
_encoder: Final = msgspec.msgpack.Encoder()

Step = Callable[[int], None]
"""Told of so many more rows that are copied."""


class TargetNotEmpty(EcshopError, code="data.target_not_empty", status=500):
    """There is a shop already where this one should go."""


class ShopRuns(EcshopError, code="data.shop_runs", status=500):
    """Somebody is connected to a database that should rest."""


class CopyDiffers(EcshopError, code="data.copy_differs", status=500):
    """What arrived is not what was sent; nothing was kept of it."""


class Copied(NamedTuple):
    context: str
    rows: int
    digest: str
    """Of all rows of all tables, as both sides have them, whatever their order."""


class _Content(NamedTuple):
    rows: int
    digest: int


def count_rows(source: Settings) -> int:
    """What there is to copy. Raises as `copy_shop`."""
    with ExitStack() as held:
        sides = [_opened(held, source, context) for context in CONTEXTS]
        return sum(_count(side, _tables(context)) for side, context in zip(sides, CONTEXTS, strict=True))


def copy_shop(source: Settings, target: Settings, step: Step) -> list[Copied]:
    """All or nothing, but for a server that fails between two of its four commits: nothing is changed at the source.

    Events that were published and not heard become due again, since the broker of the target may know nothing of them.

    Raises `FileInUse`, `ShopRuns`, `NoShop`, `TargetNotEmpty`, `CopyDiffers`, `FileUnusable` or `DatabaseUnusable`.
    """
    with ExitStack() as held:
        sources = [_opened(held, source, context) for context in CONTEXTS]
        shop_id = Identity(target).id  # it may look into the databases, which it could not once they are locked
        targets = [_opened(held, target, context, writes=True) for context in CONTEXTS]
        for context, there in zip(CONTEXTS, targets, strict=True):
            if _count(there, _tables(context)):
                raise TargetNotEmpty(f"{shown(there.engine.url)} has rows already: name an empty one, or drop it")
        copied = [_copy(*one, step) for one in zip(CONTEXTS, sources, targets, strict=True)]
        for there in targets:
            _settle(there, shop_id)
        _move_key(source, target, targets[0])
        for there in targets:
            there.commit()
    return copied


@contextmanager
def _usable(url: URL) -> Iterator[None]:
    try:
        yield
    except DBAPIError as cause:
        raise DatabaseUnusable.by(cause, url) from cause


def _opened(held: ExitStack, settings: Settings, context: ContextEntry, *, writes: bool = False) -> Connection:
    """In one transaction, with nobody beside it."""
    url = url_of(settings, context.name)
    is_file = not settings.server_of(context.name)
    if is_file and not writes and not (settings.folder / f"{context.name}.db").exists():
        raise NoShop.at(settings.folder, f"{context.name} database")
    settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    held.enter_context(ownership(url))
    engine = open_engine(url)
    held.callback(engine.dispose)
    if writes:
        migrate(engine, context.module.MIGRATIONS)
    else:
        require_own(engine, context.module.MIGRATIONS)
    with _usable(url):
        connection = held.enter_context(writing(engine).connect())
        if not is_file:
            connection.execute(_TAKE_TIME)
            if others := connection.scalar(_OTHERS):
                raise ShopRuns(f"{others} others are connected to {shown(url)}: stop the shop and its workers first")
    return connection


def _tables(context: ContextEntry) -> Sequence[Table]:
    """Those that others refer to come first."""
    own = import_module(f"ecshop.{context.name}.models").Base.metadata
    return [table for table in [*own.sorted_tables, *tables.Base.metadata.sorted_tables] if table is not _APART]


def _count(connection: Connection, all_: Sequence[Table]) -> int:
    return sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in all_)


def _copy(context: ContextEntry, here: Connection, there: Connection, step: Step) -> Copied:
    rows = digest = 0
    for table in _tables(context):
        with _usable(there.engine.url):
            sent = _copy_table(table, here, there, step)
            arrived = _Content(0, 0)
            for some in _parts(there, table):
                arrived = _with(arrived, some)
            _go_on_counting(here, there, table)
        if sent != arrived:
            raise CopyDiffers(f"{context.name}.{table.name}: {sent.rows} rows were sent, and other ones arrived")
        rows, digest = rows + sent.rows, (digest + sent.digest) % _DIGEST
    return Copied(context.name, rows, f"{digest:064x}")


def _copy_table(table: Table, here: Connection, there: Connection, step: Step) -> _Content:
    sent = _Content(0, 0)
    for some in _parts(here, table):
        there.execute(insert(table), [dict(row._mapping) for row in some])
        sent = _with(sent, some)
        step(len(some))
    return sent


def _parts(connection: Connection, table: Table) -> Iterator[Sequence[Row[Any]]]:
    streaming = {"stream_results": True, "yield_per": _AT_ONCE}
    yield from connection.execute(select(table), execution_options=streaming).partitions()


def _with(content: _Content, rows: Sequence[Row[Any]]) -> _Content:
    digests = (int.from_bytes(sha256(_encoder.encode(list(row))).digest()) for row in rows)
    return _Content(content.rows + len(rows), (content.digest + sum(digests)) % _DIGEST)


def _go_on_counting(here: Connection, there: Connection, table: Table) -> None:
    """A key that was given once is not given again, though its row is gone."""
    key = table.autoincrement_column
    if key is None:
        return
    last = max(_last_key(here, table, key.name), there.scalar(select(func.max(key))) or 0)
    if not last:
        return
    if there.dialect.name == "sqlite":
        if _counts_for_ever(there, table):
            there.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            there.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), {"name": table.name, "last": last})
    else:
        there.execute(select(func.setval(func.pg_get_serial_sequence(table.name, key.name), last)))


def _last_key(connection: Connection, table: Table, key: str) -> int:
    if connection.dialect.name != "sqlite":
        sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, key)))
        state = text(f"SELECT last_value, is_called FROM {sequence}")  # noqa: S608 - as the server itself writes its name
        last, is_called = connection.execute(state).one()
        return int(last) if is_called else 0
    if not _counts_for_ever(connection, table):
        return 0
    return connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}) or 0


def _counts_for_ever(connection: Connection, table: Table) -> bool:
    """SQLite's AUTOINCREMENT."""
    made_by = text("SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE type = 'table' AND name = :name")
    return bool(connection.scalar(made_by, {"name": table.name}))


def _settle(there: Connection, shop_id: str) -> None:
    """The same shop, under the id that it has there."""
    there.execute(update(table_of(tables.Shop)).values(id=shop_id))
    with Session(there, join_transaction_mode="create_savepoint") as session, session.begin():
        resend_published(session, _EVER)


def _move_key(source: Settings, target: Settings, auth: Connection) -> None:
    """Tokens stay good. A key that is given stays with whoever gives it."""
    pem = pem_of(source)
    if target.signing_key or not pem:
        return
    if target.server_of("auth"):
        with Session(auth, join_transaction_mode="create_savepoint") as session, session.begin():
            keep_signing_key(session, pem)
    else:
        take_signing_key(target.folder, pem.encode())

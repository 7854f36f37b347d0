"""Which shop this is: an id, made once, that its databases and its streams carry; and what of it has been lost.

In the data folder `shop.json` says which databases there have been. A new one in the place of one that was is a loss,
which somebody has to accept: then it is another generation of it. Databases on a server know the shop by their address.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from ecshop.events.tables import Shop
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from ecshop.kernel.db.engine import DatabaseUnusable, shown
from ecshop.kernel.errors import EcshopError, Unavailable
from ecshop.kernel.file_lock import FileUnusable
from entrypoints.contexts import NAMES
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings

FILE: Final = "shop.json"
_FIRST_START: Final = timedelta(minutes=1)
"""After which a database of a shop is no longer one that is just being made."""


class DatabaseLost(EcshopError, code="database.lost", status=503):
    """A new and empty database in the place of one that the shop had."""

    @classmethod
    def of(cls, context: str) -> DatabaseLost:
        return cls(
            f"the database of {context} is new, while the shop's others are not: bring the lost one back, or begin it "
            f"anew with `ecshop data accept {context}`"
        )


class DatabaseForeign(EcshopError, code="database.foreign", status=503):
    """A database of another shop, or of another time of this one."""


class _Known(msgspec.Struct):
    id: str
    generations: dict[str, int]
    """By context, of the databases that there have been."""


class Identity:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def id(self) -> str:
        """Raises `FileUnusable`."""
        settings = self._settings
        return settings.shop_id or (_id_of(settings.database_url) if settings.database_url else self._own_id())

    async def admit(self, databases: Mapping[str, Database]) -> None:
        """Raises `DatabaseLost` or `DatabaseForeign` when a database is not the one that the shop has had.

        Raises `DatabaseUnusable` when it does not answer.
        """
        rows = [await database.read(_row) for database in databases.values()]
        is_old = any(row is not None and now() - row.made_at > _FIRST_START for row in rows)
        for context, database in databases.items():
            try:
                await database.write(self._admit, context, beside_old_ones=is_old)
            except Unavailable as cause:
                raise DatabaseUnusable(
                    f"the database {shown(database.url)} does not answer: does another program hold it locked?"
                ) from cause

    def accept(self, session: Session, context: str) -> int:
        """Take a database for the shop's own from now on, whatever it has lost; returns its generation."""
        row = _row(session)
        generation = max(self._generation_of(context) or 1, row.generation if row else 0) + 1
        if row is not None:
            session.delete(row)
            session.flush()
        session.add(Shop(id=self.id, generation=generation, made_at=now()))
        session.flush()
        self._note(context, generation)
        return generation

    def _admit(self, session: Session, context: str, *, beside_old_ones: bool) -> None:
        row, known = _row(session), self._generation_of(context)
        if row is None:
            if known is not None or (self._settings.server_of(context) and beside_old_ones):
                raise DatabaseLost.of(context)
            row = Shop(id=self.id, generation=1, made_at=now())
            session.add(row)
            session.flush()
        if row.id != self.id:
            raise DatabaseForeign(
                f"the database of {context} is of the shop {row.id}, and this is {self.id}: name the right --data-dir, "
                "ECSHOP_DATABASE_URL or ECSHOP_SHOP_ID"
            )
        if known is not None and known != row.generation:
            raise DatabaseForeign(
                f"the database of {context} is generation {row.generation}, and the shop has had generation {known}: "
                f"bring back the right one, or take this one with `ecshop data accept {context}`"
            )
        self._note(context, row.generation)

    def _own_id(self) -> str:
        with _locked(self._settings.folder):
            known = self._read()
            if known is None:
                known = _Known(self._id_in_databases() or secrets.token_hex(6), {})
                self._write(known)
            return known.id

    def _id_in_databases(self) -> str | None:
        """Of a folder whose file was lost."""
        for context in NAMES:
            if (self._settings.folder / f"{context}.db").exists():
                with suppress(DatabaseUnusable):
                    row = beside_the_shop(self._settings, context, _row)
                    if row is not None:
                        return row.id
        return None

    def _generation_of(self, context: str) -> int | None:
        known = None if self._settings.server_of(context) else self._read()
        return known.generations.get(context) if known else None

    def _note(self, context: str, generation: int) -> None:
        if self._settings.server_of(context):
            return
        with _locked(self._settings.folder):
            known = self._read() or _Known(self.id, {})
            if known.generations.get(context) != generation or known.id != self.id:
                known = _Known(self.id, {**known.generations, context: generation})
                self._write(known)

    def _read(self) -> _Known | None:
        file = self._settings.folder / FILE
        try:
            return msgspec.json.decode(file.read_bytes(), type=_Known)
        except FileNotFoundError:
            return None
        except OSError as cause:
            raise FileUnusable.by(cause, file) from cause
        except msgspec.MsgspecError as cause:
            raise FileUnusable(f"{file} cannot be read ({cause}); bring it back from a backup") from cause

    def _write(self, known: _Known) -> None:
        file = self._settings.folder / FILE
        draft = file.with_suffix(".new")
        with draft.open("wb") as opened:
            opened.write(msgspec.json.format(msgspec.json.encode(known)))
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)


def _row(session: Session) -> Shop | None:
    return session.scalar(select(Shop))


def _id_of(database_url: str) -> str:
    """The same for all services of a shop, which have the same address but for the context in it, and no password."""
    _, _, address = database_url.rpartition("@")
    return hashlib.sha256(address.encode()).hexdigest()[:12]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Services that start side by side take turns."""
    lock = folder / f"{FILE}.lock"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = lock.open("a")
    except OSError as cause:
        raise FileUnusable.by(cause, lock) from cause
    with opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield

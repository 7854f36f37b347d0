"""Where each context's database is."""

from __future__ import annotations

from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ecshop.kernel.db.database import Database
from entrypoints.settings import BadSetting, Settings

_LIKE: Final = "write it like postgresql+psycopg://user:password@host/ecshop_{context}"


def url_of(settings: Settings, context: str) -> URL:
    """A file of the data folder, or a database of the server that is set. Raises `BadSetting`."""
    if not settings.database_url:
        return URL.create("sqlite", database=str(settings.folder / f"{context}.db"))
    try:
        url = make_url(settings.database_url.replace("{context}", context))
        url.get_dialect().import_dbapi()
    except (ArgumentError, ImportError, ValueError) as cause:
        raise BadSetting(f"ECSHOP_DATABASE_URL cannot be used: {cause}; {_LIKE}") from cause
    if url.get_backend_name() != "postgresql":
        raise BadSetting(f"ECSHOP_DATABASE_URL names no PostgreSQL; {_LIKE}")
    return url


def database_of(settings: Settings, context: str, *, guest: bool = False) -> Database:
    return Database(
        url_of(settings, context),
        synchronous=settings.synchronous,
        page_cache_mb=settings.page_cache_mb,
        mmap_mb=settings.mmap_mb,
        guest=guest,
    )

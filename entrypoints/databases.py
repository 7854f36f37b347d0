"""Where each context's database is."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ecshop.kernel.db.database import Database
from entrypoints.settings import BadSetting, Settings

_LIKE: Final = "write it like postgresql+psycopg://user:password@host/ecshop_{context}"
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def url_of(settings: Settings, context: str) -> URL:
    """A file of the data folder, or a database of the server that is set. Raises `BadSetting`."""
    address = settings.server_of(context)
    if not address:
        if settings.cloud_run:
            raise BadSetting(
                f"SQLite cannot be used on Cloud Run, whose files are in memory and go with the instance: set "
                f"ECSHOP_DATABASE_URL to a PostgreSQL, or ECSHOP_{context.upper()}_DATABASE_URL; {_LIKE}"
            )
        return URL.create("sqlite", database=str(settings.folder / f"{context}.db"))
    variable = (
        f"ECSHOP_{context.upper()}_DATABASE_URL" if settings.database_urls.get(context) else "ECSHOP_DATABASE_URL"
    )
    try:
        url = make_url(address)
        url.get_dialect().import_dbapi()
    except (ArgumentError, ImportError, ValueError) as cause:
        raise BadSetting(f"{variable} cannot be used: {cause}; {_LIKE}") from cause
    if url.get_backend_name() != "postgresql":
        raise BadSetting(f"{variable} names no PostgreSQL; {_LIKE}")
    schema = url.query.get("schema", "public")
    if not (isinstance(schema, str) and _SCHEMA.fullmatch(schema)):
        raise BadSetting(f"{variable} names no schema that can be used: small letters, digits and underscores; {_LIKE}")
    return url


def database_of(settings: Settings, context: str, *, guest: bool = False) -> Database:
    return Database(
        url_of(settings, context),
        synchronous=settings.synchronous,
        page_cache_mb=settings.page_cache_mb,
        mmap_mb=settings.mmap_mb,
        connections=settings.database_connections,
        guest=guest,
    )

"""A running or resting shop's databases, for short commands beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ecshop.kernel.db.engine import DatabaseUnusable, open_engine, writing
from entrypoints.databases import url_of
from entrypoints.operations import NoShop
from entrypoints.settings import Settings

T = TypeVar("T")


def beside_the_shop(settings: Settings, context: str, fn: Callable[[Session], T]) -> T:
    """One transaction on a context's database, whether or not its server runs.

    Raises `NoShop` or `DatabaseUnusable`.
    """
    url = url_of(settings, context)
    if not settings.server_of(context) and not Path(str(url.database)).exists():
        raise NoShop.at(settings.folder, f"{context} database")
    engine = open_engine(url, guest=True)
    try:
        with Session(writing(engine), expire_on_commit=False) as session, session.begin():
            return fn(session)
    except DBAPIError as cause:
        raise DatabaseUnusable.by(cause, url) from cause
    finally:
        engine.dispose()

"""Databases in files of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ecshop.kernel.db.database import Database
from ecshop.product.module import MIGRATIONS


@pytest.fixture
async def open_database(tmp_path: Path) -> AsyncIterator[Callable[..., Database]]:
    """Opens the database of that name, with the tables of the product context; the test's end closes it."""
    opened: list[Database] = []

    def open_(name: str = "shop", *, guest: bool = False) -> Database:
        database = Database(f"sqlite:///{tmp_path / name}.db", guest=guest)
        opened.append(database)
        database.open(MIGRATIONS)
        return database

    yield open_
    for database in reversed(opened):
        await database.close()


@pytest.fixture
def database(open_database: Callable[..., Database]) -> Database:
    return open_database()

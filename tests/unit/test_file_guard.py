"""A database file that goes away under a running shop: nothing is acknowledged that would exist nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecshop.kernel.errors import Unavailable
from tests.unit.notes import OpenDatabase, add, texts

pytestmark = [pytest.mark.anyio, pytest.mark.sqlite_only]


async def test_what_is_written_to_a_deleted_file_is_refused(open_database: OpenDatabase, tmp_path: Path) -> None:
    database = open_database()
    await database.write(add, "Tea")
    _delete(tmp_path)
    for _ in range(2):
        with pytest.raises(Unavailable, match="is gone"):
            await database.write(add, "Coffee")
        with pytest.raises(Unavailable, match="is gone"):
            await database.read(texts)


async def test_what_is_written_to_a_replaced_file_is_refused(open_database: OpenDatabase, tmp_path: Path) -> None:
    database = open_database()
    await database.write(add, "Tea")
    (tmp_path / "shop.db").rename(tmp_path / "moved.db")
    (tmp_path / "shop.db").write_bytes((tmp_path / "moved.db").read_bytes())
    with pytest.raises(Unavailable, match="is gone"):
        await database.write(add, "Coffee")


async def test_a_file_that_comes_back_is_used_again(open_database: OpenDatabase, tmp_path: Path) -> None:
    database = open_database()
    (tmp_path / "shop.db").rename(tmp_path / "moved.db")
    with pytest.raises(Unavailable, match="is gone"):
        await database.write(add, "Tea")
    (tmp_path / "moved.db").rename(tmp_path / "shop.db")
    await database.write(add, "Coffee")
    assert await database.read(texts) == ["Coffee"]


def _delete(folder: Path) -> None:
    """The database, its log and its index."""
    for file in folder.glob("shop.db*"):
        file.unlink()

"""Files under a running shop: one that goes away, so that what is written would exist nowhere, and a log that grows."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ecshop.kernel.db import engine as engines
from ecshop.kernel.db import lane as lanes
from ecshop.kernel.errors import Unavailable
from tests.unit.notes import OpenDatabase, add, texts
from tests.waiting import eventually_async

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


async def test_a_log_that_a_long_reader_let_grow_is_folded_when_it_has_gone(
    open_database: OpenDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_KEEP_UP_EVERY", 0.05)
    monkeypatch.setattr(engines, "_LARGEST_LOG", 100_000)
    database, log_file = open_database(), tmp_path / "shop.db-wal"
    with capture_logs() as logs, closing(sqlite3.connect(tmp_path / "shop.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM note").fetchall()
        for number in range(40):
            await database.write(add, f"{number} {'x' * 80}")
        await eventually_async(_told(logs, "somebody reads for long and holds up a database's log"), True)
        assert log_file.stat().st_size > 100_000
        reader.execute("COMMIT")

        async def size() -> int:
            return log_file.stat().st_size

        await eventually_async(size, 0)


def _told(logs: list[Any], event: str) -> Callable[[], Awaitable[bool]]:
    async def told() -> bool:
        return any(line["event"] == event for line in logs)

    return told

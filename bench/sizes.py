"""How large a shop's databases are, and of what."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from entrypoints.contexts import NAMES

_BY_TABLE: Final = """
SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name) WHERE aggregate = 1 GROUP BY tbl_name
"""


def bytes_on_disk(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.db*"))


def bytes_by_table(folder: Path) -> dict[str, int]:
    """By `context.table`, indexes with their tables; nothing where SQLite was built without `dbstat`."""
    found: dict[str, int] = {}
    for context in NAMES:
        with closing(sqlite3.connect(f"file:{folder / context}.db?mode=ro", uri=True)) as database:
            try:
                rows = database.execute(_BY_TABLE).fetchall()
            except sqlite3.OperationalError:
                return {}
        found |= {f"{context}.{table}": size for table, size in rows}
    return found


def largest_log(folder: Path) -> int:
    """Of the write-ahead logs, in bytes."""
    return max((file.stat().st_size for file in folder.glob("*.db-wal")), default=0)

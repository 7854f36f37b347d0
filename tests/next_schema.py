"""The schema of a release that is to come: this one's, and a version more that code of today runs on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.unit.schema import versions

VERSION: Final = '''
"""A rank, which is 7 where none was given."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    with op.batch_alter_table("{table}", table_kwargs={options}) as table:
        table.add_column(sa.Column("rank", sa.BigInteger, nullable=False, server_default=sa.text("7")))
        table.create_check_constraint("rank_positive", "rank > 0")
'''
TABLES: Final[Mapping[str, str]] = {
    "auth": "account",
    "product": "category",
    "stock": "reservation",
    "order": "orders",
}
OPTIONS: Final[Mapping[str, Mapping[str, bool]]] = {
    "product": {"sqlite_autoincrement": True},
    "stock": {"sqlite_with_rowid": False},
    "order": {"sqlite_with_rowid": False},
}
"""Those of a table that a rebuild would forget: a row's number is not used again."""


def next_versions(context: str, folder: Path) -> Path:
    """All that there are, and one more."""
    folder.mkdir(parents=True)
    files = sorted(versions(context).glob("[0-9]*.py"))
    for file in files:
        shutil.copy(file, folder)
    add_next(context, folder)
    return folder


def add_next(context: str, folder: Path) -> str:
    """The version's name."""
    files = sorted(folder.glob("[0-9]*.py"))
    [before] = [line.split('"')[1] for line in files[-1].read_text().splitlines() if line.startswith('revision = "')]
    number = len(files) + 1
    revision = f"{context}_{number:04}_since_{len(files):04}"
    text = VERSION.lstrip().format(
        revision=revision, before=before, table=TABLES[context], options=dict(OPTIONS.get(context, {}))
    )
    (folder / f"{number:04}_rank.py").write_text(text)
    return revision

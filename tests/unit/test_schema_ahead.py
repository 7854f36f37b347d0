"""A schema that is ahead of the code, as it is while a release is rolled out, or was taken back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import URL, Engine

from ecshop.kernel.db.engine import DatabaseUnusable, open_engine
from ecshop.kernel.db.migration import migrate
from ecshop.kernel.db.revisions import migration_sql, outstanding
from ecshop.kernel.db.schema_version import newest_version, runs_on, schema_version
from entrypoints.contexts import NAMES
from tests.databases import Databases
from tests.unit.schema import schema, versions

NEXT: Final = '''"""A rank, which the code does not know of."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "stock_0001"


def upgrade() -> None:
    op.add_column("item", sa.Column("rank", sa.BigInteger))
'''
EXPANDED, CONTRACTED = "stock_0002_since_0001", "stock_0002_since_0002"
PROMISE: Final = re.compile(r"column \S+ .*, not null$|(check|unique|foreign key|primary key|unique index) ")
"""What an INSERT or UPDATE of code that does not know of it would break."""

Ahead = Callable[[str], Path]


@pytest.fixture
def ahead(tmp_path: Path) -> Ahead:
    """The versions of stock, and one more."""

    def made(revision: str) -> Path:
        folder = tmp_path / revision
        folder.mkdir()
        for file in versions("stock").glob("0*.py"):
            shutil.copy(file, folder)
        (folder / "0002_rank.py").write_text(NEXT.format(revision=revision))
        return folder

    return made


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    engine = open_engine(databases.url("stock"))
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("own", "found", "runs"),
    [
        ("stock_0001", "stock_0001", True),
        ("stock_0001", "stock_0002_since_0001", True),
        ("stock_0002_since_0001", "stock_0005_since_0002", True),
        ("stock_0001", "stock_0005_since_0002", False),
        ("stock_0001", "stock_0002", False),
        ("stock_0003_since_0002", "stock_0002_since_0001", False),
        ("stock_0001", "order_0002_since_0001", False),
        ("stock_0001", None, False),
        ("stock_0001", "something", False),
        (None, None, True),
    ],
)
def test_code_runs_on_its_own_schema_and_on_later_ones_that_say_so(
    own: str | None, found: str | None, runs: bool
) -> None:
    assert runs_on(own, found) is runs


def test_on_a_schema_that_was_expanded_there_is_nothing_to_migrate(engine: Engine, ahead: Ahead) -> None:
    assert migrate(engine, ahead(EXPANDED))
    assert not migrate(engine, versions("stock"))
    assert outstanding(engine, versions("stock")) == []
    with engine.connect() as connection:
        assert schema_version(connection) == EXPANDED


def test_a_schema_that_was_contracted_refuses_the_code_before(engine: Engine, ahead: Ahead) -> None:
    migrate(engine, ahead(CONTRACTED))
    with pytest.raises(DatabaseUnusable, match="was it made by a newer one"):
        migrate(engine, versions("stock"))
    with pytest.raises(DatabaseUnusable, match="was it made by a newer one"):
        outstanding(engine, versions("stock"))


def test_what_is_outstanding_is_told_and_not_done(engine: Engine, ahead: Ahead) -> None:
    migrate(engine, versions("stock"))
    assert outstanding(engine, ahead(EXPANDED)) == [f"{EXPANDED}: A rank, which the code does not know of."]
    with engine.connect() as connection:
        assert schema_version(connection) == "stock_0001"


@pytest.mark.parametrize("schema_of", [None, "order"])
@pytest.mark.parametrize("context", NAMES)
def test_the_sql_of_a_migration_does_what_the_migration_does(
    context: str, schema_of: str | None, databases: Databases
) -> None:
    urls = [databases.url("code"), databases.url("sql")]
    if schema_of and databases.setting:
        urls = [url.update_query_dict({"schema": schema_of}) for url in urls]
    by_code, by_sql = map(open_engine, urls)
    migrate(by_code, versions(context))
    script = migration_sql(by_sql, versions(context))
    driver = by_sql.raw_connection()
    if by_sql.dialect.name == "sqlite":
        driver.executescript(script)
    else:
        driver.cursor().execute(script)
    driver.close()
    by_sql.dispose()  # what the script has set is of its session
    with by_code.connect() as one, by_sql.connect() as other:
        assert schema(other) == schema(one)
        assert schema_version(other) == newest_version(versions(context))
    assert migration_sql(by_sql, versions(context)) == ""
    by_code.dispose()
    by_sql.dispose()


@pytest.mark.parametrize("context", NAMES)
def test_each_version_after_the_first_says_since_when_code_runs_on_it(context: str) -> None:
    later = [file for file in versions(context).glob("[0-9]*.py") if not file.name.startswith("0001")]
    for file in later:
        assert re.search(rf'^revision = "{context}_{file.name[:4]}_since_\d{{4}}"$', file.read_text(), re.M)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("context", NAMES)
def test_what_code_relied_on_is_still_there_where_it_runs(context: str, databases: Databases, tmp_path: Path) -> None:
    assert _broken(context, versions(context), databases, tmp_path) == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ('op.add_column("item", sa.Column("rank", sa.BigInteger))', []),
        ('op.add_column("item", sa.Column("rank", sa.BigInteger, nullable=False, server_default="7"))', []),
        ('op.create_index("by_rank", "item", ["on_hand"])', []),
        ('op.drop_column("item", "updated_at")', ["item: column updated_at"]),
        ('op.rename_table("movement", "ledger")', ["movement: column delta"]),
        ('op.create_index("by_rank", "item", ["on_hand"], unique=True)', ["item: unique index by_rank"]),
    ],
)
def test_a_version_that_would_break_the_code_before_is_found(
    change: str, broken: list[str], ahead: Ahead, databases: Databases, tmp_path: Path
) -> None:
    folder = ahead(EXPANDED)
    file = folder / "0002_rank.py"
    file.write_text(re.sub(r"    op\.add_column.*", f"    {change}", file.read_text()))
    found = _broken("stock", folder, databases, tmp_path)
    for one in broken:
        assert [sentence for sentence in found if sentence.startswith(one)]
    assert bool(found) == bool(broken)


def _broken(context: str, folder: Path, databases: Databases, scratch: Path) -> list[str]:
    """Of each version and the one since which code runs on it: what is gone, and what is asked for in addition."""
    found: list[str] = []
    files = sorted(folder.glob("[0-9]*.py"))
    for number, file in enumerate(files, 1):
        since = re.search(r'^revision = "\w+_since_(\d{4})"$', file.read_text(), re.M)
        if since:
            before, after = (
                _schema_at(files[:count], databases.url(f"{number}_{count}"), scratch / f"{number}_{count}")
                for count in (int(since[1]), number)
            )
            found += sorted(before - after)
            found += sorted(one for one in after - before if PROMISE.match(one.partition(": ")[2]))
    return found


def _schema_at(files: list[Path], url: URL, folder: Path) -> set[str]:
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    engine = open_engine(url)
    migrate(engine, folder)
    with engine.connect() as connection:
        told = schema(connection)
    engine.dispose()
    return told

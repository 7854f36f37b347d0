"""The command for the databases' schema."""

from __future__ import annotations

import sys

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of
from entrypoints.settings import BadSetting


@click.command()
@click.option("--check", is_flag=True, help="Only say what is outstanding; the exit status is 1 if anything is.")
@click.option("--sql", is_flag=True, help="Only print it as SQL, for whoever runs it himself.")
@DATA_DIR
@report_errors
def migrate(check: bool, sql: bool, data_dir: str | None) -> None:
    """Bring the databases to the schema of this version. With --check or --sql nothing is changed."""
    from entrypoints.operations.migrate import migrate_all, outstanding_of_all, sql_of_all

    if check and sql:
        raise BadSetting("--check says what is outstanding and --sql prints it: give one of them")
    settings = settings_of(data_dir=data_dir)
    if check:
        found = outstanding_of_all(settings)
        for context, versions in found.items():
            print(f"{context}: {'; '.join(versions) or 'up to date'}")
        sys.exit(1 if any(found.values()) else 0)
    for line in sql_of_all(settings) if sql else migrate_all(settings):
        print(line)

"""The command for the databases' schema."""

from __future__ import annotations

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of


@click.command()
@DATA_DIR
@report_errors
def migrate(data_dir: str | None) -> None:
    """Bring the databases to the schema of this version."""
    from entrypoints.operations.migrate import migrate_all

    for line in migrate_all(settings_of(data_dir=data_dir)):
        print(line)

"""The command that ends what runs."""

from __future__ import annotations

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of


@click.command()
@DATA_DIR
@report_errors
def stop(data_dir: str | None) -> None:
    """End the shop that runs on the data folder: one process, or the split mode and its Redis."""
    from entrypoints.operations.stop import stop_shop

    stop_shop(settings_of(data_dir=data_dir), lambda line: print(line, flush=True))

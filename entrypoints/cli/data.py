"""Commands about the databases of a shop at rest."""

from __future__ import annotations

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of
from entrypoints.contexts import NAMES


@click.group()
def data() -> None:
    """Look after the databases of a shop that does not run."""


@data.command("accept")
@click.argument("context", type=click.Choice(NAMES))
@DATA_DIR
@report_errors
def accept(context: str, data_dir: str | None) -> None:
    """Go on with what is there of CONTEXT's database, or with an empty one: what is lost stays lost."""
    from entrypoints.operations.data import accept_database

    generation = accept_database(settings_of(data_dir=data_dir), context)
    print(f"{context}: generation {generation} from now on; start the shop, then see `ecshop doctor`")

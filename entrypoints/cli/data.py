"""Commands about the databases of a shop at rest."""

from __future__ import annotations

import sys

import rich_click as click
from msgspec.structs import replace

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of
from entrypoints.contexts import NAMES
from entrypoints.settings import Settings


def _on_server(address: str, data_dir: str | None) -> Settings:
    return replace(settings_of(data_dir=data_dir, database_url=address), database_urls={})


def _in_folder(folder: str) -> Settings:
    return replace(settings_of(data_dir=folder), database_url="", database_urls={})


@click.group()
def data() -> None:
    """Look after the databases of a shop that does not run."""


@data.command("copy")
@click.option("--to", required=True, help="A server's address with {context} in it, or a folder for files.")
@DATA_DIR
@report_errors
def copy(to: str, data_dir: str | None) -> None:
    """Copy a shop that rests from its files to a server, or back: all of it, or nothing."""
    from entrypoints.operations.transfer import copy_shop, count_rows

    source = settings_of(data_dir=data_dir)
    target = _on_server(to, data_dir) if "://" in to else _in_folder(to)
    with click.progressbar(length=count_rows(source), label="copying rows", file=sys.stderr) as bar:
        copied = copy_shop(source, target, bar.update)
    for one in copied:
        print(f"{one.context:<8}  {one.rows:>12,} rows  {one.digest[:16]}")


@data.command("accept")
@click.argument("context", type=click.Choice(NAMES))
@DATA_DIR
@report_errors
def accept(context: str, data_dir: str | None) -> None:
    """Go on with what is there of CONTEXT's database, or with an empty one: what is lost stays lost."""
    from entrypoints.operations.data import accept_database

    generation = accept_database(settings_of(data_dir=data_dir), context)
    print(f"{context}: generation {generation} from now on; start the shop, then see `ecshop doctor`")

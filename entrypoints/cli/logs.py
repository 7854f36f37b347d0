"""Commands about the log."""

from __future__ import annotations

from uuid import UUID

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of
from entrypoints.settings import BadSetting


@click.command()
@click.option("--order", type=click.UUID, metavar="ID", help="All of the requests and events of this order.")
@click.option("--request", metavar="ID", help="All of this request, by its X-Request-ID.")
@click.option("--event", metavar="ID", help="All of the request that caused this event.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they were written.")
@DATA_DIR
@report_errors
def logs(order: UUID | None, request: str | None, event: str | None, as_json: bool, data_dir: str | None) -> None:
    """Follow one order, request or event through the logs of all services."""
    asked = {what: str(id_) for what, id_ in (("order", order), ("request", request), ("event", event)) if id_}
    if len(asked) != 1:
        raise BadSetting("say what to follow: one of --order ID, --request ID and --event ID")
    from entrypoints.operations.logs import as_written, lines_about, readable

    [(what, id_)] = asked.items()
    for kept in lines_about(settings_of(data_dir=data_dir), what, id_):
        print(as_written(kept) if as_json else readable(kept))

"""Commands about dead letters."""

from __future__ import annotations

from typing import Final

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of
from entrypoints.contexts import NAMES

_CONTEXT: Final = click.argument("context", type=click.Choice(NAMES))
_EVENT: Final = click.argument("event_id")


@click.group()
def dlq() -> None:
    """Look after dead letters: events that a context gave up on. Works beside a running shop."""


@dlq.command("list")
@DATA_DIR
@report_errors
def list_all(data_dir: str | None) -> None:
    """Show them all."""
    from entrypoints.operations.dead_letters import dead_letters

    for line in dead_letters(settings_of(data_dir=data_dir)):
        print(line)


@dlq.command("replay")
@_CONTEXT
@_EVENT
@DATA_DIR
@report_errors
def replay(context: str, event_id: str, data_dir: str | None) -> None:
    """Have CONTEXT try the event again."""
    from ecshop.oversight.dead_letters import replay as verdict
    from entrypoints.operations.dead_letters import settle_dead_letter

    settle_dead_letter(settings_of(data_dir=data_dir), context, event_id, verdict)
    print(f"{context} will try {event_id} again")


@dlq.command("discard")
@_CONTEXT
@_EVENT
@DATA_DIR
@report_errors
def discard(context: str, event_id: str, data_dir: str | None) -> None:
    """Let the event go for good."""
    from ecshop.oversight.dead_letters import discard as verdict
    from entrypoints.operations.dead_letters import settle_dead_letter

    settle_dead_letter(settings_of(data_dir=data_dir), context, event_id, verdict)
    print(f"{event_id} is discarded")

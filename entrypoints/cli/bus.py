"""Commands about what carries events between services."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


class _Ago(click.ParamType[timedelta]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"(\d{1,4})([mhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no time; write it like 30m, 2h or 1d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.group()
def bus() -> None:
    """Look after what carries events between services."""


@bus.command("create")
@DATA_DIR
@report_errors
def create(data_dir: str | None) -> None:
    """Make the topics and subscriptions that the shop needs on Pub/Sub, where they are missing."""
    from entrypoints.operations.bus import create_on_pubsub

    for what, is_made in create_on_pubsub(settings_of(data_dir=data_dir)):
        print(f"{'made    ' if is_made else 'is there'}  {what}")


@bus.command("resend")
@click.option("--since", required=True, type=_Ago(), help="How long ago the first of them was published: 30m, 2h, 1d.")
@DATA_DIR
@report_errors
def resend(since: timedelta, data_dir: str | None) -> None:
    """Publish again what was published and is not heard, as when a broker has lost it. Works beside a running shop."""
    from entrypoints.operations.bus import resend_since

    for context, events in resend_since(settings_of(data_dir=data_dir), since).items():
        print(f"{context:<8}  {events} {'event' if events == 1 else 'events'}")

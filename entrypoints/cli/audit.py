"""Commands about the audit trail."""

from __future__ import annotations

import sys

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of
from entrypoints.contexts import NAMES


@click.group()
def audit() -> None:
    """Look at what people did: logins, changes of roles, prices and stock. Works beside a running shop."""


@audit.command("list")
@click.argument("context", type=click.Choice(NAMES))
@click.option("--subject", help="What it was done to: 'product 7', 'order 01a2...', 'user 01a2...'.")
@click.option("--most", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many of the newest.")
@DATA_DIR
@report_errors
def list_all(context: str, subject: str | None, most: int, data_dir: str | None) -> None:
    """Show the newest entries of CONTEXT."""
    from entrypoints.operations.audit import audit_lines

    for line in audit_lines(settings_of(data_dir=data_dir), context, subject, most):
        print(line)


@audit.command("verify")
@DATA_DIR
@report_errors
def verify(data_dir: str | None) -> None:
    """Check that no entry was changed or taken out; the exit status is 1 if one was."""
    from entrypoints.operations.audit import verify_all

    is_broken = False
    for one in verify_all(settings_of(data_dir=data_dir)):
        if one.broken:
            is_broken = True
            print(f"{one.context}: broken at entry {one.broken.seq} of {one.broken.at:%Y-%m-%d %H:%M:%S}")
        else:
            print(f"{one.context}: {one.entries} entries, as they were noted")
    sys.exit(int(is_broken))

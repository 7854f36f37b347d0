"""The command that looks whether all is well."""

from __future__ import annotations

import sys
import time
from typing import Final

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of

_SETTLE: Final = 3.0  # seconds in which what is on its way arrives


@click.command()
@DATA_DIR
@report_errors
def doctor(data_dir: str | None) -> None:
    """Compare the books of all contexts: units, ledger, reservations, orders, events. Works beside a running shop."""
    from entrypoints.operations.doctor import examine

    settings = settings_of(data_dir=data_dir)
    found = examine(settings)
    if found:
        print(f"{len(found)} findings; looking again in {_SETTLE:g} seconds, for some may be on their way", flush=True)
        time.sleep(_SETTLE)
        found = [finding for finding in examine(settings) if finding in found]
    for finding in found:
        print(finding)
    print(f"{len(found)} findings" if found else "all is well")
    sys.exit(1 if found else 0)

"""Commands about the signing key."""

from __future__ import annotations

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of


@click.group()
def keys() -> None:
    """Look after the signing key. Works beside a running shop."""


@keys.command("revoke")
@DATA_DIR
@report_errors
def revoke(data_dir: str | None) -> None:
    """Replace the key, as when it has leaked: within 5 seconds no token of the old one is good anywhere."""
    from entrypoints.operations.tokens import revoke_key

    print(f"{revoke_key(settings_of(data_dir=data_dir))} signs from now on; everybody has to log in again")

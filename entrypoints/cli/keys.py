"""Commands about the signing keys."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from entrypoints.cli.options import DATA_DIR, report_errors, settings_of


@click.group()
def keys() -> None:
    """Look after the signing keys. Works beside a running shop."""


@keys.command("revoke")
@DATA_DIR
@report_errors
def revoke(data_dir: str | None) -> None:
    """Replace the key, as when it has leaked: within 5 seconds no token of the old one is good anywhere."""
    from entrypoints.operations.tokens import revoke_key

    print(f"{revoke_key(settings_of(data_dir=data_dir))} signs from now on; everybody has to log in again")


@keys.command("list")
@DATA_DIR
@report_errors
def list_all(data_dir: str | None) -> None:
    """Show which key signs, and which others are published beside it."""
    from entrypoints.operations.tokens import keys_there

    for line in keys_there(settings_of(data_dir=data_dir)):
        print(line)


@keys.command("client")
@click.argument("file", type=click.Path(dir_okay=False))
@report_errors
def client(file: str) -> None:
    """Print the public part of a service's key in FILE, for ECSHOP_CLIENT_KEYS; makes the key if there is none."""
    from entrypoints.operations.tokens import client_key_in

    print(client_key_in(Path(file)))


@keys.command("rotate")
@DATA_DIR
@report_errors
def rotate(data_dir: str | None) -> None:
    """Have another key sign, as once in a while: it is published before, and what the last one signed stays good."""
    from entrypoints.operations.tokens import rotate_key

    for line in rotate_key(settings_of(data_dir=data_dir)):
        print(line, flush=True)

"""Commands about people: users, and tokens for whoever has the signing key."""

from __future__ import annotations

from typing import Final

import rich_click as click

from ecshop.kernel.identity import Role
from entrypoints.cli.options import DATA_DIR, password_of, report_errors, settings_of

_ROLE: Final = click.Choice([role.value for role in Role])


@click.command()
@click.argument("role", type=_ROLE)
@DATA_DIR
@report_errors
def token(role: str, data_dir: str | None) -> None:
    """Print an access token of 15 minutes, made with the local signing key."""
    from entrypoints.operations.tokens import local_token

    print(local_token(settings_of(data_dir=data_dir), Role(role)))


@click.group()
def user() -> None:
    """Manage users."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=_ROLE, default=Role.CUSTOMER.value, show_default=True)
@DATA_DIR
@report_errors
def add(name: str, role: str, data_dir: str | None) -> None:
    """Add a user, also beside a running shop; the password is read from standard input."""
    from entrypoints.operations.users import add_user

    settings = settings_of(data_dir=data_dir)
    added = add_user(settings, name, password_of(name), Role(role))
    print(f"{added.user_name} is {added.role} now")

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


@user.command("list")
@click.option("--name", default="", help="Only those whose names begin so.")
@DATA_DIR
@report_errors
def list_all(name: str, data_dir: str | None) -> None:
    """Show users, with role and when they signed up."""
    from entrypoints.operations.users import list_users

    found = list_users(settings_of(data_dir=data_dir), name)
    width = max((len(one.user_name) for one in found), default=0)
    for one in found:
        state = "disabled" if one.disabled else ""
        print(f"{one.user_name:<{width}}  {one.role:<8}  {one.created_at:%Y-%m-%d %H:%M}  {one.id}  {state}".rstrip())


@user.command("role")
@click.argument("name")
@click.argument("role", type=_ROLE)
@DATA_DIR
@report_errors
def role_of(name: str, role: str, data_dir: str | None) -> None:
    """Give NAME another role; all of their sessions end."""
    from ecshop.auth.contract import UserChange
    from entrypoints.operations.users import change_user

    changed = change_user(settings_of(data_dir=data_dir), name, UserChange(role=Role(role)))
    print(f"{changed.user_name} is {changed.role} now")


@user.command("disable")
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let NAME log in again.")
@DATA_DIR
@report_errors
def disable(name: str, undo: bool, data_dir: str | None) -> None:
    """Let NAME log in no longer; all of their sessions end."""
    from ecshop.auth.contract import UserChange
    from entrypoints.operations.users import change_user

    changed = change_user(settings_of(data_dir=data_dir), name, UserChange(disabled=not undo))
    print(f"{changed.user_name} is {'disabled' if changed.disabled else 'enabled'} now")


@user.command("password")
@click.argument("name")
@DATA_DIR
@report_errors
def password(name: str, data_dir: str | None) -> None:
    """Give NAME another password, which is read from standard input; all of their sessions end."""
    from entrypoints.operations.users import replace_password

    changed = replace_password(settings_of(data_dir=data_dir), name, password_of(name))
    print(f"{changed.user_name} has a new password")


@user.command("link")
@click.argument("name", required=False)
@click.option("--at", help="Where the pages are. [http://127.0.0.1:8000, or as ECSHOP_HOST and ECSHOP_PORT say]")
@DATA_DIR
@report_errors
def link(name: str | None, at: str | None, data_dir: str | None) -> None:
    """Print a link that signs NAME in without a password: once, and within 15 minutes.

    Without NAME it is for the first admin, who is made where there is none.
    """
    from entrypoints.listening import address_of
    from entrypoints.operations.users import link_for, link_for_first_admin

    settings = settings_of(data_dir=data_dir)
    made = link_for(settings, name) if name else link_for_first_admin(settings)
    print(f"{(at or address_of(settings.host, settings.port)).rstrip('/')}{made.place}")

"""Commands about settings."""

from __future__ import annotations

import os

import rich_click as click

from entrypoints.cli.options import report_errors


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command("check")
@report_errors
def check() -> None:
    """Say at once all that is wrong with the variables that are set, and in ECSHOP_PROFILE=production all that is not
    fit for it; the exit status is then 1.
    """
    from entrypoints.environment import given_variables, read_settings

    settings = read_settings(os.environ)
    given = ", ".join(given_variables(os.environ)) or "none; all have their defaults"
    print(f"fit for {settings.profile}: {given}")

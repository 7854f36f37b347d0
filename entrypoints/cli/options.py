"""What commands have in common: their options, their settings, and how they fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, NoReturn, ParamSpec

import rich_click as click

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.telemetry.logs import configure_logging
from entrypoints.environment import read_settings
from entrypoints.settings import LOG_SUFFIX, Settings

P = ParamSpec("P")

DATA_DIR: Final = click.option("--data-dir", metavar="FOLDER", help="Where the databases and the key are. [./data]")
HOST: Final = click.option("--host", help="The address to listen on. [127.0.0.1]")
TLS_CERT: Final = click.option("--tls-cert", metavar="FILE", help="A certificate in PEM: the shop then speaks HTTPS.")
TLS_KEY: Final = click.option("--tls-key", metavar="FILE", help="Its key.")
PORT: Final = click.option("--port", type=int, help="The port to listen on; 0 takes a free one. [8000]")


def report_errors(command: Callable[P, None]) -> Callable[P, None]:
    """What goes wrong is said in a line on standard error, and the exit status is 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except EcshopError as error:
            _fail(error.detail)
        except OSError as error:
            _fail(f"{error.filename or 'something of the system'} cannot be used: {error.strerror or error}")

    return run


def _fail(reason: str) -> NoReturn:
    print(f"ecshop: {reason}", file=sys.stderr)
    sys.exit(1)


def settings_of(process: str = "", **options: Any) -> Settings:
    """The settings of this command; from here on the log is as they say, and kept under the name of a `process`.

    Raises `BadSetting`.
    """
    settings = read_settings(os.environ, **options)
    kept_in = Path(settings.log_folder) / f"{process}{LOG_SUFFIX}" if process and settings.log_folder else None
    configure_logging(settings.log_form, project=settings.google_cloud_project, kept_in=kept_in)
    return settings


def password_of(name: str) -> str:
    """Asked for on a terminal, else the first line of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(f"Password of {name}", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")

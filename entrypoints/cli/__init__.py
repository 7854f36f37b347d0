"""The commands: `ecshop --help`. A file a noun; each loads what it needs when it runs, and not more."""

from __future__ import annotations

import rich_click as click

from ecshop import __version__
from entrypoints.cli.audit import audit
from entrypoints.cli.bus import bus
from entrypoints.cli.config import config
from entrypoints.cli.data import data
from entrypoints.cli.demo import demo
from entrypoints.cli.dlq import dlq
from entrypoints.cli.doctor import doctor
from entrypoints.cli.gateway import docs, gateway
from entrypoints.cli.keys import keys
from entrypoints.cli.logs import logs
from entrypoints.cli.migrate import migrate
from entrypoints.cli.run import serve, up, worker
from entrypoints.cli.smoke import smoke
from entrypoints.cli.stop import stop
from entrypoints.cli.user import token, user


@click.group(invoke_without_command=True)
@click.version_option(__version__, prog_name="ecshop")
@click.pass_context
def main(context: click.Context) -> None:
    """An order system for a web shop: it never sells what it does not have.

    Without a command it is `up`. Host, port and data folder are also variables, ECSHOP_HOST and so on.
    """
    if context.invoked_subcommand is None:
        context.invoke(up)


_RUNNING = (up, serve, worker, stop, demo)
_LOOKING_AFTER = (config, migrate, token, user, keys, data, bus, dlq, audit, logs, doctor, smoke, gateway, docs)
for _command in (*_RUNNING, *_LOOKING_AFTER):
    main.add_command(_command)

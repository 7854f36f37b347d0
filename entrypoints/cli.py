"""The commands: `python -m ecshop --help`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

import rich_click as click

from ecshop import __version__
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.observability import configure_logging
from ecshop.kernel.settings import Settings, read_settings

F = TypeVar("F", bound=Callable[..., Any])

_CONTEXTS: Final = ("auth", "product", "stock", "order")
_DATA_DIR: Final = click.option("--data-dir", metavar="FOLDER", help="Where the databases and the key are. [./data]")
_HOST: Final = click.option("--host", help="The address to listen on. [127.0.0.1]")
_PORT: Final = click.option("--port", type=int, help="The port to listen on; 0 takes a free one. [8000]")


def told_plainly(command: F) -> F:
    """What goes wrong is said in a line on standard error, and the exit status is 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except EcshopError as error:
            print(f"ecshop: {error.detail}", file=sys.stderr)
            sys.exit(1)

    return run  # type: ignore[return-value]


@click.group(invoke_without_command=True)
@click.version_option(__version__, prog_name="ecshop")
@click.pass_context
def main(context: click.Context) -> None:
    """An order system for a web shop: it never sells what it does not have.

    Without a command it is `up`. Every option is also a variable, ECSHOP_HOST and so on.
    """
    if context.invoked_subcommand is None:
        context.invoke(up)


@main.command()
@_HOST
@_PORT
@_DATA_DIR
@click.option("--split", is_flag=True, help="Each context as a service of its own, with Redis between them.")
@click.option("--base-port", type=int, help="With --split: the first of four ports. [8000]")
@told_plainly
def up(
    host: str | None = None,
    port: int | None = None,
    data_dir: str | None = None,
    split: bool = False,
    base_port: int | None = None,
) -> None:
    """Run the whole shop: in one process, or split into four services."""
    if split:
        from entrypoints.split import run_split  # noqa: PLC0415 - each command loads what it needs

        run_split(_settings(host=host, port=base_port if base_port is not None else port, data_dir=data_dir))
        return
    from entrypoints.banner import one_process  # noqa: PLC0415
    from entrypoints.compose import ALL  # noqa: PLC0415
    from entrypoints.serve import serve as run  # noqa: PLC0415

    settings = _settings(host=host, port=port, data_dir=data_dir)
    run(settings, ALL, ready=lambda address: print(one_process(address, settings), flush=True))


@main.command()
@click.argument("contexts", nargs=-1, required=True, type=click.Choice(_CONTEXTS))
@_HOST
@_PORT
@_DATA_DIR
@told_plainly
def serve(contexts: tuple[str, ...], host: str | None, port: int | None, data_dir: str | None) -> None:
    """Serve one context as a service of its own (or some together)."""
    from entrypoints.serve import serve as run  # noqa: PLC0415

    settings = _settings(host=host, port=port, data_dir=data_dir)
    run(settings, frozenset(contexts), ready=lambda address: print(f"{', '.join(contexts)} on {address}", flush=True))


@main.command()
@_DATA_DIR
@told_plainly
def worker(data_dir: str | None) -> None:
    """Relay and consume events without HTTP, beside servers on the same PostgreSQL."""
    from entrypoints.worker import run_worker  # noqa: PLC0415

    run_worker(_settings(data_dir=data_dir))


@main.command()
@_DATA_DIR
@told_plainly
def migrate(data_dir: str | None) -> None:
    """Bring the databases to the schema of this version."""
    from entrypoints.commands import migrate_all  # noqa: PLC0415

    for line in migrate_all(_settings(data_dir=data_dir)):
        print(line)


@main.command()
@click.argument("role", type=click.Choice(["customer", "staff", "admin"]))
@_DATA_DIR
@told_plainly
def token(role: str, data_dir: str | None) -> None:
    """Print an access token of 15 minutes, made with the local signing key."""
    from entrypoints.commands import local_token  # noqa: PLC0415

    print(local_token(_settings(data_dir=data_dir), role))


@main.group()
def user() -> None:
    """Manage users."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(["customer", "staff", "admin"]), default="customer", show_default=True)
@_DATA_DIR
@told_plainly
def user_add(name: str, role: str, data_dir: str | None) -> None:
    """Add a user, also beside a running shop; the password is read from standard input."""
    from entrypoints.commands import add_user  # noqa: PLC0415

    settings = _settings(data_dir=data_dir)
    password = click.prompt("Password", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    added = add_user(settings, name, password.rstrip("\n"), role)
    print(f"{added.user_name} is {added.role} now")


@main.group()
def dlq() -> None:
    """Look after dead letters: events that a context gave up on. Works beside a running shop."""


@dlq.command("list")
@_DATA_DIR
@told_plainly
def dlq_list(data_dir: str | None) -> None:
    """Show them all."""
    from entrypoints.commands import dead_letters  # noqa: PLC0415

    for line in dead_letters(_settings(data_dir=data_dir)):
        print(line)


@dlq.command("replay")
@click.argument("context", type=click.Choice(_CONTEXTS))
@click.argument("event_id")
@_DATA_DIR
@told_plainly
def dlq_replay(context: str, event_id: str, data_dir: str | None) -> None:
    """Have CONTEXT try the event again."""
    from ecshop.events.dead_letters import replay  # noqa: PLC0415
    from entrypoints.commands import settle_dead_letter  # noqa: PLC0415

    settle_dead_letter(_settings(data_dir=data_dir), context, event_id, replay)
    print(f"{context} will try {event_id} again")


@dlq.command("discard")
@click.argument("context", type=click.Choice(_CONTEXTS))
@click.argument("event_id")
@_DATA_DIR
@told_plainly
def dlq_discard(context: str, event_id: str, data_dir: str | None) -> None:
    """Let the event go for good."""
    from ecshop.events.dead_letters import discard  # noqa: PLC0415
    from entrypoints.commands import settle_dead_letter  # noqa: PLC0415

    settle_dead_letter(_settings(data_dir=data_dir), context, event_id, discard)
    print(f"{event_id} is discarded")


def _settings(**options: Any) -> Settings:
    settings = read_settings(os.environ, **options)
    configure_logging(json=None if settings.log == "auto" else settings.log == "json")
    return settings

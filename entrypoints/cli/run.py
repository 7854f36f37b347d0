"""Commands that run until they are stopped."""

from __future__ import annotations

from contextlib import nullcontext
from tempfile import TemporaryDirectory

import rich_click as click

from entrypoints.cli.options import DATA_DIR, HOST, PORT, TLS_CERT, TLS_KEY, report_errors, settings_of
from entrypoints.contexts import ALL, NAMES, SERVICE_NAMES
from entrypoints.settings import BadSetting, Settings


@click.command()
@HOST
@PORT
@DATA_DIR
@TLS_CERT
@TLS_KEY
@click.option("--split", is_flag=True, help="Each context as a service of its own, with Redis between them.")
@click.option("--base-port", type=int, help="With --split: the first of five ports in a row. [8000]")
@click.option(
    "--demo/--no-demo",
    default=None,
    help="Whether a shop without products begins with 24 to look at. [in development a new one does]",
)
@click.option("--ephemeral", is_flag=True, help="In a folder of its own that goes when the shop closes.")
@click.option("--open", "opens", is_flag=True, help="Show the shop in the browser of this machine.")
@click.option("--gateway", is_flag=True, help="With --split: an nginx in front, as one address for all services.")
@click.option("--gateway-port", type=int, help="With --gateway: where that listens. [8080]")
@report_errors
def up(
    host: str | None = None,
    port: int | None = None,
    data_dir: str | None = None,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    split: bool = False,
    base_port: int | None = None,
    demo: bool | None = None,
    ephemeral: bool = False,
    opens: bool = False,
    gateway: bool = False,
    gateway_port: int | None = None,
) -> None:
    """Run the whole shop: in one process, or split into five services."""
    if base_port is not None and not split:
        raise BadSetting("--base-port goes with --split; the one-process shop listens on --port")
    if (gateway or gateway_port is not None) and not split:
        raise BadSetting("--gateway goes with --split; the one-process shop is one address already")
    if split and (tls_cert or tls_key):
        raise BadSetting("--tls-cert goes without --split; in front of services a proxy ends TLS")
    if split and port is not None:
        raise BadSetting("--port goes without --split; the first port of the split mode is --base-port")
    if ephemeral and data_dir is not None:
        raise BadSetting("--ephemeral goes without --data-dir: it has a folder of its own")
    with TemporaryDirectory(prefix="ecshop-") if ephemeral else nullcontext(data_dir) as folder:
        own = {"base_port": base_port} if split else {"port": port, "tls_cert": tls_cert, "tls_key": tls_key}
        filled = None if demo is None else "on" if demo else "off"
        settings = settings_of("" if split else "shop", host=host, data_dir=folder, demo=filled, **own)
        if ephemeral and any(map(settings.server_of, NAMES)):
            raise BadSetting("--ephemeral keeps nothing, and a database server does: leave ECSHOP_DATABASE_URL out")
        if split:
            _run_split(settings, (gateway_port or 8080) if gateway or gateway_port is not None else None, opens=opens)
        else:
            _run_together(settings, opens=opens)


def _run_split(settings: Settings, gateway_port: int | None, *, opens: bool) -> None:
    if settings.profile == "production":
        raise BadSetting(
            "ECSHOP_PROFILE=production: the split mode makes secrets and a Redis of its own at each start; "
            "start each service by `ecshop serve`"
        )
    from entrypoints.local.split import run_split

    run_split(settings, gateway_port, opens=opens)


def _run_together(settings: Settings, *, opens: bool) -> None:
    from entrypoints.local.banner import one_process
    from entrypoints.operations.demo import fill
    from entrypoints.operations.users import link_for_first_admin
    from entrypoints.serve import serve as run

    is_filled = settings.begins_with_demo

    def say(address: str) -> None:
        link = f"{address}{link_for_first_admin(settings).place}" if settings.signs_in_by_link else ""
        print(one_process(address, settings, link, is_filled=is_filled), flush=True)
        if opens:
            click.launch(address)

    run(settings, ALL, ready=say, prepare=fill if is_filled else None)


@click.command()
@click.argument("contexts", nargs=-1, required=True, type=click.Choice(SERVICE_NAMES))
@HOST
@PORT
@DATA_DIR
@TLS_CERT
@TLS_KEY
@report_errors
def serve(
    contexts: tuple[str, ...],
    host: str | None,
    port: int | None,
    data_dir: str | None,
    tls_cert: str | None,
    tls_key: str | None,
) -> None:
    """Serve one context, or the pages, as a service of its own (or some together)."""
    settings = settings_of(
        "+".join(contexts), host=host, port=port, data_dir=data_dir, tls_cert=tls_cert, tls_key=tls_key
    )
    from entrypoints.listening import READY
    from entrypoints.serve import serve as run

    def say(address: str) -> None:
        print(READY.format(contexts=", ".join(contexts), address=address), flush=True)

    run(settings, frozenset(contexts), ready=say)


@click.command()
@DATA_DIR
@click.option(
    "--until-idle",
    type=click.FloatRange(min=1, max=86_400),
    metavar="SECONDS",
    help="End once there was nothing to do for so long, as a job does.",
)
@report_errors
def worker(data_dir: str | None, until_idle: float | None) -> None:
    """Relay and consume events, beside servers on the same PostgreSQL."""
    from entrypoints.worker import run_worker

    did = run_worker(settings_of("worker", data_dir=data_dir), until_idle)
    for listener, outcomes in did.items():
        for outcome, times in sorted(outcomes.items()):
            print(f"{listener:<8}  {times:>7,}  {outcome.type}  {outcome.did}")
    if not any(did.values()):
        print("no event came")

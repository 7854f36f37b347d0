"""Commands for what stands in front of the services."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import rich_click as click

from entrypoints.cli.options import report_errors, settings_of

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("folder", type=_FOLDER)
@report_errors
def docs(folder: Path) -> None:
    """Write the API docs of all services as files into FOLDER, for a gateway or a website."""
    from entrypoints.operations.docs import write_docs

    for file in write_docs(folder):
        print(file)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Where nginx listens.")
@click.option("--folder", type=_FOLDER, default=Path("/var/cache/nginx"), show_default=True, help="Where nginx writes.")
@click.option(
    "--docs",
    type=_FOLDER,
    default=Path("/usr/share/nginx/docs"),
    show_default=True,
    help="Where `ecshop docs` has written.",
)
@click.option(
    "--replica", multiple=True, metavar="SERVICE=HOST:PORT", help="Of a service; else it is where its URL says."
)
@report_errors
def gateway(port: int, folder: Path, docs: Path, replica: tuple[str, ...]) -> None:
    """Print the nginx.conf of a gateway to the services that ECSHOP_AUTH_URL and so on name."""
    from entrypoints.gateway import Gateway, nginx_conf, replicas_in

    settings = settings_of()
    upstreams = {name: [urlsplit(url).netloc] for name, url in settings.urls.items()} | replicas_in(replica)
    print(
        nginx_conf(
            Gateway(
                str(port),
                upstreams,
                folder,
                docs,
                settings.request_seconds,
                settings.gateway_rate,
                settings.allowed_origins,
            )
        ),
        end="",
    )

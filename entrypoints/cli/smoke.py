"""The command that tries a running shop."""

from __future__ import annotations

import rich_click as click

from entrypoints.cli.options import DATA_DIR, password_of, report_errors, settings_of
from entrypoints.contexts import NAMES


@click.command()
@click.argument("url", required=False)
@click.option("--staff", metavar="NAME", help="A member of staff; the password comes from standard input.")
@click.option("--patience", type=click.FloatRange(1, 600), default=30, show_default=True, help="Seconds for an event.")
@DATA_DIR
@report_errors
def smoke(url: str | None, staff: str | None, patience: float, data_dir: str | None) -> None:
    """Walk through the shop at URL: stock a product, sell it out, stock it again, cancel; and clean up.

    Without URL it takes the services at ECSHOP_AUTH_URL and so on; without --staff a token by this shop's signing key.
    """
    from entrypoints.operations.smoke import sign_in, walk

    settings = settings_of(data_dir=data_dir)
    addresses = dict.fromkeys(NAMES, url) if url else settings.urls
    if staff:
        token = sign_in(addresses, staff, password_of(staff))
    else:
        from ecshop.kernel.identity import Role
        from entrypoints.operations.tokens import local_token

        token = local_token(settings, Role.STAFF)
    walk(addresses, token, lambda line: print(line, flush=True), patience)

"""What is meant for a laptop, and refused where the shop is for real: `ECSHOP_PROFILE=production`."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from entrypoints.contexts import NAMES
from entrypoints.settings import Settings

_ENCRYPTED: Final = {"require", "verify-ca", "verify-full"}
"""libpq's `sslmode`: those that refuse to do without."""


def unfit_for_production(settings: Settings) -> Iterator[str]:
    """Each with what to do about it."""
    if settings.log == "console":
        yield "ECSHOP_LOG=console is for people to read, with tracebacks over many lines: leave it out, or set json"
    if not (settings.tls_cert or settings.proxies or settings.cloud_run):
        yield (
            "nothing ends TLS: give ECSHOP_TLS_CERT and ECSHOP_TLS_KEY, or name the proxy in front that does in "
            "ECSHOP_TRUSTED_PROXIES"
        )
    if settings.redis_url.startswith("redis:") and not _is_here(urlsplit(settings.redis_url).hostname):
        yield "REDIS_URL sends events, and the password, in plain text to another host: use rediss://"
    for name in NAMES:
        if not _is_encrypted(settings.server_of(name)):
            yield f"the database of {name} is on another host, and read in plain text: add sslmode=verify-full"
    if settings.pubsub_emulator_host:
        yield "PUBSUB_EMULATOR_HOST is an emulator, which keeps nothing: leave it out"
    if settings.demo == "on":
        yield "ECSHOP_DEMO=on fills a shop with goods that nobody has: leave it out"
    if settings.synchronous != "FULL" and not all(map(settings.server_of, NAMES)):
        yield "ECSHOP_SYNCHRONOUS=NORMAL may lose the last orders when the power fails: leave it out"


def _is_encrypted(address: str) -> bool:
    """Also one that does not leave the machine."""
    parts, options = urlsplit(address), dict(parse_qsl(urlsplit(address).query))
    is_socket = options.get("host", "").startswith("/")
    return is_socket or _is_here(parts.hostname) or options.get("sslmode") in _ENCRYPTED


def _is_here(host: str | None) -> bool:
    try:
        return host in {None, "", "localhost"} or ip_address(str(host)).is_loopback
    except ValueError:
        return False

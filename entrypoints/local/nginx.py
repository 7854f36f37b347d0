"""An nginx of our own: the gateway of the split mode, and of tests."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from ecshop.kernel.errors import EcshopError
from entrypoints.gateway import Gateway, nginx_conf
from entrypoints.local.process import Process
from entrypoints.settings import Settings

GATEWAY: Final = "gateway"
_PLACES: Final = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/usr/local/sbin"
_READABLE: Final = 0o755  # nginx works as another user where it is started by root


class NoNginx(EcshopError, code="gateway.missing", status=500):
    """There is no nginx to be found."""


def nginx_executable() -> str:
    """Raises `NoNginx`."""
    found = shutil.which("nginx", path=_PLACES)
    if found is None:
        raise NoNginx("no nginx found on the PATH: install it, as by `apt install nginx-light` or `brew install nginx`")
    return found


def nginx_command(gateway: Gateway) -> list[str]:
    """Writes what nginx needs into the gateway's folder; returns how it is started. Raises `NoNginx`."""
    gateway.folder.chmod(_READABLE)
    (gateway.folder / "nginx.conf").write_text(nginx_conf(gateway))
    return [nginx_executable(), "-p", str(gateway.folder), "-c", "nginx.conf", "-e", "stderr"]


def gateway_of(settings: Settings, addresses: Mapping[str, str], port: int, held: ExitStack) -> Process:
    """In front of the services at these addresses. Its files go when `held` ends. Raises `NoNginx`."""
    folder = Path(held.enter_context(TemporaryDirectory(prefix="ecshop-gateway-")))
    gateway = Gateway(
        listen=f"[{settings.host}]:{port}" if ":" in settings.host else f"{settings.host}:{port}",
        upstreams={name: [urlsplit(address).netloc] for name, address in addresses.items()},
        folder=folder,
        docs=folder / "docs",
        request_seconds=settings.request_seconds,
        rate=settings.gateway_rate,
        origins=settings.allowed_origins,
    )
    write_docs = shlex.join([sys.executable, "-m", "ecshop", "docs", str(gateway.docs)])
    start = shlex.join(nginx_command(gateway))
    command = ("/bin/sh", "-c", f"{write_docs} >/dev/null && exec {start}")
    return Process(GATEWAY, command, dict(os.environ), listens=(settings.host, port))

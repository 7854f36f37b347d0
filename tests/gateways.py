"""Gateways of a test's own: a real nginx with the configuration that the shop writes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from entrypoints.contexts import NAMES
from entrypoints.gateway import Gateway
from entrypoints.local.nginx import nginx_command
from entrypoints.local.ports import free_port
from entrypoints.operations.docs import write_docs
from tests.shops import is_up
from tests.waiting import eventually

NOBODY = "127.0.0.1:9"
"""The port of RFC 863, at which nothing listens."""


@contextmanager
def gateway(
    upstreams: Mapping[str, Sequence[str]], *, rate: int = 100_000, origins: Sequence[str] = (), with_docs: bool = False
) -> Iterator[str]:
    """Yields its address. A context that is not named is nowhere."""
    port = free_port()
    with TemporaryDirectory(prefix="ecshop-gateway-") as name:
        folder = Path(name)
        everywhere = {context: [NOBODY] for context in NAMES} | dict(upstreams)
        conf = Gateway(f"127.0.0.1:{port}", everywhere, folder, folder / "docs", 10, rate, origins)
        if with_docs:
            write_docs(conf.docs)
        with (folder / "nginx.log").open("wb") as log:
            process = subprocess.Popen(nginx_command(conf), stdout=log, stderr=log)
        try:
            eventually(lambda: is_up(f"http://127.0.0.1:{port}"), True)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()

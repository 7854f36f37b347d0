"""Where a process listens, and how it says so."""

from __future__ import annotations

import errno
import socket
from typing import Final

from ecshop.kernel.errors import EcshopError

READY: Final = "{contexts} on {address}"
"""The line by which a service says that it is ready, and which the split mode waits for."""
_BACKLOG: Final = 2048


class PortInUse(EcshopError, code="port.in_use", status=500):
    """Something else listens on the port."""


def listening_socket(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Raises `PortInUse`, which names the `option` to choose another one with."""
    try:
        [(family, _, _, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listening = socket.socket(family)
    except (OSError, UnicodeError) as cause:
        reason = getattr(cause, "strerror", None) or "it is no name of a host"
        raise PortInUse(f"cannot listen on {host}: {reason}; choose another with --host") from cause
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as cause:
        listening.close()
        mend = "choose another with --host" if cause.errno == errno.EADDRNOTAVAIL else f"choose another with {option}"
        raise PortInUse(f"cannot listen on {host}:{port}: {cause.strerror}; {mend}") from cause
    return listening


def address_of(host: str, port: int, scheme: str = "http") -> str:
    """Where a browser on this machine finds what listens on `host`."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - looked for, not bound to
    return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}"

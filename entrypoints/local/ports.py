"""A port that is free, and stays so until its server has started."""

from __future__ import annotations

import random
import socket
from typing import Final

_ASKED_FOR: Final = range(10_000, 32_000)
"""Below those that a kernel gives away by itself (`ip_local_port_range`), to outgoing connections too: one of those may
be taken again before the server that is being started has it."""


def free_port(*, in_a_row: int = 1) -> int:
    """The first of as many as are asked for. Nobody else is given them within the next minute."""
    while True:
        first = random.choice(_ASKED_FOR[::in_a_row])  # noqa: S311 - nothing that must not be guessed
        if all(_reserve(first + place) for place in range(in_a_row)):
            return first


def _reserve(port: int) -> bool:
    """Whether nobody has it. A connection that ends there leaves it in TIME_WAIT (RFC 9293, 3.6.1): it cannot be
    reserved again meanwhile, and a server, which sets SO_REUSEADDR, can listen at it.
    """
    with socket.socket() as listening:
        try:
            listening.bind(("127.0.0.1", port))
        except OSError:
            return False
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.listen(1)
        with socket.create_connection(listening.getsockname()):
            listening.accept()[0].close()
        return True

"""A port that is free."""

from __future__ import annotations

import random
import socket
from typing import Final

_ASKED_FOR: Final = range(10_000, 32_000)
"""Below those that a kernel gives away by itself (`ip_local_port_range`), to outgoing connections too: one of those may
be taken again before the server that is being started has it."""


def free_port(*, in_a_row: int = 1) -> int:
    """The first of as many as are asked for."""
    while True:
        first = random.choice(_ASKED_FOR[::in_a_row])  # noqa: S311 - nothing that must not be guessed
        if all(_is_free(first + place) for place in range(in_a_row)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

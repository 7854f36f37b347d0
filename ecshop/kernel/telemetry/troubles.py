"""What background work in this process waits for at the moment, for whoever asks whether it is well."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_TROUBLES: Final[dict[str, str]] = {}

troubles: Final[Mapping[str, str]] = MappingProxyType(_TROUBLES)
"""By who is in trouble: `the relay of order`: `Redis does not answer`."""


def in_trouble(who: str, why: str) -> None:
    _TROUBLES[who] = why


def well_again(who: str) -> None:
    _TROUBLES.pop(who, None)

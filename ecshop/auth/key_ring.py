"""Several keys in one text: the first one signs, the others are published with it, and some have retired.

Each is a PEM block; what stands before it says when it has retired, as RFC 7468, section 2, lets explanatory text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ecshop.kernel.tokens import LONGEST_LIFE

_BLOCK: Final = re.compile(
    r"(?:^retired: (?P<retired>\S+)\s+)?(?P<pem>^-----BEGIN [A-Z ]+-----$.*?^-----END [A-Z ]+-----$)",
    re.MULTILINE | re.DOTALL,
)
_LINGER: Final = timedelta(seconds=LONGEST_LIFE + 60)
"""For which a retired key is still published: no token of it lives longer."""


class Held(NamedTuple):
    pem: str
    retired: datetime | None = None

    def is_over(self, moment: datetime) -> bool:
        return self.retired is not None and moment - self.retired > _LINGER


def held_in(text: str) -> list[Held]:
    """Empty for a text without any. Raises `ValueError` for a time that is none."""
    return [
        Held(block["pem"], datetime.fromisoformat(block["retired"]) if block["retired"] else None)
        for block in _BLOCK.finditer(text)
    ]


def with_next(text: str, pem: str) -> str:
    """With one more key, that is published and does not sign yet; the one that is next already stays it."""
    first, *others = held_in(text)
    if any(one.retired is None for one in others):
        return text
    return _written([first, Held(pem.strip()), *others])


def turned(text: str, moment: datetime) -> str:
    """The next key signs, and the one that did retires; those that retired long ago are left out."""
    first, following, *others = held_in(text)
    return _written([following, Held(first.pem, moment), *(one for one in others if not one.is_over(moment))])


def _written(keys: Sequence[Held]) -> str:
    return "".join(
        f"retired: {one.retired.isoformat()}\n{one.pem}\n" if one.retired else f"{one.pem}\n" for one in keys
    )

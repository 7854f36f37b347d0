"""Values that mean the same in every context."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Final, Generic, TypeVar

from msgspec import Meta, Struct

from ecshop.kernel.validation import rule

T = TypeVar("T")
_MILLISECOND: Final = timedelta(milliseconds=1)

MAX_INT64: Final = 2**63 - 1
"""What a database keeps in an integer column at most."""

Id = Annotated[int, Meta(ge=1, le=MAX_INT64, examples=[1])]

NOT_BLANK: Final = rule(r"\S", "not only spaces")
SEEN: Final = "Without control or invisible characters; blanks around it are not kept."
"""What a field says that `words.keep_name` keeps."""

LONGEST_REASON: Final = 200
Reason = Annotated[
    str, Meta(min_length=1, max_length=LONGEST_REASON, pattern=NOT_BLANK, description=SEEN, examples=["delivery"])
]


class Page(Struct, Generic[T], frozen=True):
    """Some items of a list; `next_cursor` asks for those after them, and is null on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None


class Spread(Struct, frozen=True):
    """Of some durations, in milliseconds, by the nearest rank."""

    p50: float
    p99: float

    @classmethod
    def of(cls, durations: Iterable[timedelta]) -> Spread | None:
        """None of none."""
        ranked = sorted(duration / _MILLISECOND for duration in durations)
        if not ranked:
            return None
        p50, p99 = (ranked[math.ceil(share * len(ranked)) - 1] for share in (0.5, 0.99))
        return cls(round(p50, 3), round(p99, 3))

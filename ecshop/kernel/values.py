"""Values that mean the same in every context."""

from __future__ import annotations

from typing import Annotated, Final, Generic, TypeVar

from msgspec import Meta, Struct

from ecshop.kernel.validation import rule

T = TypeVar("T")

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

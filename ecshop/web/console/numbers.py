"""Numbers as people type them."""

from __future__ import annotations

from ecshop.kernel.values import MAX_INT64


def whole(written: str) -> int | None:
    digits = written.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and int(digits[:20]) <= MAX_INT64 else None

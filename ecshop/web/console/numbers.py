"""Numbers as people type them."""

from __future__ import annotations

from ecshop.kernel.values import MAX_INT64


def whole(written: str) -> int | None:
    digits = written.strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    significant = digits.lstrip("0") or "0"
    return int(significant) if len(significant) <= len(str(MAX_INT64)) and int(significant) <= MAX_INT64 else None

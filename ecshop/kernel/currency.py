"""The currencies that a price can be in."""

from __future__ import annotations

from typing import Annotated, Final

import iso4217
from msgspec import Meta

from ecshop.kernel.validation import rule

_CODES: Final = sorted(one.code for one in iso4217.Currency if one.exponent is not None)
"""Prices are in the minor unit; what has none (gold, XXX, XTS, drawing rights) pays for nothing."""

_IN_USE: Final = rule(f"^(?:{'|'.join(_CODES)})$", "the ISO 4217 code of a currency in use, like JPY")
Currency = Annotated[
    str, Meta(max_length=3, pattern=_IN_USE, description="ISO 4217, one that is in use.", examples=["JPY"])
]

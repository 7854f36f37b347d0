"""Which service may call which, and what for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ecshop.product.contract import QUOTE
from ecshop.stock.contract import RESERVE

GRANTS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "order": {"product": frozenset({QUOTE}), "stock": frozenset({RESERVE})}
}
"""By caller, by whom it calls: the scopes of its tokens."""

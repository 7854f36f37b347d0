"""Which service may call which, and what for; and what API keys may be good for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ecshop.kernel.identity import Role
from ecshop.order import contract as order
from ecshop.oversight import contract as oversight
from ecshop.product import contract as product
from ecshop.stock import contract as stock

GRANTS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "order": {"product": frozenset({product.QUOTE}), "stock": frozenset({stock.RESERVE})}
}
"""By caller, by whom it calls: the scopes of its tokens."""
KEY_SCOPES: Final[Mapping[str, Role]] = {
    order.READ: Role.CUSTOMER,
    order.WRITE: Role.CUSTOMER,
    product.WRITE: Role.STAFF,
    stock.READ: Role.CUSTOMER,
    stock.WRITE: Role.STAFF,
    oversight.AUDIT: Role.ADMIN,
}
"""What an API key may be good for, and the role that its maker needs to give it that."""

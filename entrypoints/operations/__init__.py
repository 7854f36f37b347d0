"""What the short commands do, apart from how they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from ecshop.kernel.errors import EcshopError


class NoShop(EcshopError, code="shop.missing", status=500):
    """No shop has ever run in this data folder."""

    @classmethod
    def at(cls, folder: Path, what: str) -> Self:
        return cls(f"there is no {what} in {folder}: start the shop first, or name its --data-dir")

"""A shop that grows: what an order leaves behind is bounded, whatever is added to it."""

from __future__ import annotations

from pathlib import Path

import structlog

from bench.fill import fill

BYTES = 600


def test_an_order_takes_few_bytes_of_all_databases(tmp_path: Path) -> None:
    try:
        filled = fill(tmp_path / "shop", products=100, orders=2_000)
    finally:
        structlog.reset_defaults()
    assert filled.bytes_placed <= BYTES, filled.by_table

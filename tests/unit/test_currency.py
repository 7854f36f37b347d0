"""Which currencies a price can be in."""

from __future__ import annotations

import msgspec
import pytest

from ecshop.kernel.currency import Currency


@pytest.mark.parametrize("code", ["JPY", "EUR", "USD", "KWD", "XOF", "CHF"])
def test_money_is_a_currency(code: str) -> None:
    assert msgspec.convert(code, Currency) == code


@pytest.mark.parametrize("code", ["ZZZ", "DEM", "XXX", "XTS", "XAU", "XDR", "jpy", "JPY\n", "", "JP", "JPYEUR"])
def test_what_is_no_money_or_no_more_is_none(code: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(code, Currency)

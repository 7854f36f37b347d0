"""Numbers as people type them."""

from __future__ import annotations

import pytest

from ecshop.web.console.numbers import whole


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("7", 7),
        (" 007 ", 7),
        ("0", 0),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("0" * 20 + "9" * 20, None),
        ("0" * 5000, 0),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("\uff17", None),
        ("1.5", None),
    ],
)
def test_a_whole_number_is_one_that_the_database_can_hold(written: str, number: int | None) -> None:
    assert whole(written) == number

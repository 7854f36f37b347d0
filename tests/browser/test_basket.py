"""A basket is what a cookie says, whoever has written it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecshop.order.contract import MAX_LINES, MAX_QUANTITY
from ecshop.web.basket import Basket

LINES = st.lists(
    st.tuples(st.integers(1, 2**63 - 1), st.integers(1, MAX_QUANTITY)), max_size=20, unique_by=lambda x: x[0]
)


@given(LINES)
def test_what_is_written_is_read_again(lines: list[tuple[int, int]]) -> None:
    basket = Basket(tuple(lines))
    assert Basket.read(basket.written) == basket
    assert basket.written.isascii()


@pytest.mark.parametrize(
    ("cookie", "lines"),
    [
        ("", ()),
        ("12x2.22x5", ((12, 2), (22, 5))),
        ("12x2.12x7", ((12, 7),)),
        ("12x0.0x1.-1x1.1x-1.x.12.x2.axb.1x1x1", ()),
        ("9999999999999999999x1", ()),
        ("1x99999", ((1, MAX_QUANTITY),)),
        ("\u0661x1", ()),
    ],
)
def test_what_is_no_line_is_left_out(cookie: str, lines: tuple[tuple[int, int], ...]) -> None:
    assert Basket.read(cookie).lines == lines


@given(st.text(max_size=200))
def test_any_text_is_some_basket(cookie: str) -> None:
    assert len(Basket.read(cookie).wanted()) <= MAX_LINES


def test_more_of_a_product_joins_its_line_and_none_of_it_takes_the_line_out() -> None:
    basket = Basket().with_more(12, 2).with_more(22, 1).with_more(12, 3)
    assert basket.lines == ((12, 5), (22, 1))
    assert basket.with_line(12, 0).lines == ((22, 1),)
    assert basket.with_line(22, MAX_QUANTITY + 1).lines == ((12, 5), (22, MAX_QUANTITY))


def test_a_basket_that_is_full_takes_no_other_product() -> None:
    full = Basket(tuple((number, 1) for number in range(1, MAX_LINES + 1)))
    assert full.with_more(MAX_LINES + 1, 1) == full
    assert dict(full.with_more(1, 1).lines)[1] == 2

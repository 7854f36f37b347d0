"""Where things stand on the axis of an order's life."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecshop.web.console.waterfall import QUIET, Bar, Row, axis_of


def row(*bars: Bar) -> Row:
    return Row("order", "something", bars, "done")


def work(begin: float, end: float) -> Row:
    return row(Bar("work", begin, end))


def test_what_is_done_without_a_pause_fills_the_axis_to_scale() -> None:
    axis = axis_of([work(0, 10), work(10, 30), work(30, 40)])
    assert [axis.place(at) for at in (0, 10, 20, 40)] == [0, 25, 50, 100]
    assert axis.folds == []


def test_quiet_time_is_folded_and_both_sides_have_the_same_scale() -> None:
    axis = axis_of([work(0, 10), work(10_000, 10_030)])
    [fold] = axis.folds
    assert fold.milliseconds == 9990
    assert axis.place(10) == pytest.approx(fold.place)
    assert axis.place(10_000) == pytest.approx(fold.place + fold.width)
    assert axis.place(10_030) - axis.place(10_000) == pytest.approx(3 * axis.place(10), abs=0.05)


def test_waiting_alone_is_quiet_time() -> None:
    axis = axis_of([work(0, 10), row(Bar("idle", 10, 3_600_000), Bar("work", 3_600_000, 3_600_010))])
    assert len(axis.folds) == 1


def test_a_moment_can_be_seen() -> None:
    axis = axis_of([work(0, 1000), work(500, 500)])
    begin, end = axis.line(Bar("work", 500, 500))
    assert end - begin >= 0.45


def test_a_row_tells_when_it_began_how_long_it_waited_and_how_often_it_was_tried() -> None:
    told = row(Bar("idle", 5, 10), Bar("failed", 10, 10), Bar("idle", 10, 60), Bar("work", 60, 62))
    assert (told.began, told.waited, told.took, told.tries) == (10, 55, 2, 2)


spans = st.tuples(st.floats(0, 1e9), st.floats(0, 1e6)).map(lambda one: work(one[0], one[0] + one[1]))


@given(st.lists(spans, min_size=1, max_size=30))
@example([work(0, 0), work(21, 41)])
@example([work(0, 0), work(21, 1e6)])
def test_whatever_happens_stays_in_its_order_on_the_axis(rows: list[Row]) -> None:
    axis = axis_of(rows)
    times = sorted(at for one in rows for bar in one.bars for at in (bar.begin, bar.end))
    places = [axis.place(at) for at in times]
    assert all(earlier <= later for earlier, later in pairwise(places))
    assert all(0 <= place <= 100 for place in places)
    assert all(fold.milliseconds > QUIET for fold in axis.folds)
    labels = [label.place for label in axis.labels]
    assert labels == sorted(labels)
